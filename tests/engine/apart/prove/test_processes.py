"""Real processes that purge and undo rows of another database, killed at random moments."""

import os
import random
import subprocess
import sys
import time

import pytest

from tests.processes import ROOT

ROWS = 400
WORKER = "tests.engine.apart.prove.worker"


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def environment(request, tmp_path):
    url = f"sqlite:///{tmp_path}/other.sqlite3"
    if request.param == "PostgreSQL":
        url = request.getfixturevalue("postgres_url")
    own = {"DEFAULT_DATABASE": f"sqlite:///{tmp_path}/default.sqlite3", "OTHER_DATABASE": url}
    own |= {"MEDIA_ROOT": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tests.engine.apart.prove.settings"}
    environment = os.environ | own
    for alias in ("default", "other"):
        words = ["migrate", "--run-syncdb", f"--database={alias}", "-v0"]
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=environment, check=True)
    return environment


def started(environment, *words):
    command = [sys.executable, "-m", WORKER, *words]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def until_it_ends(environment, what, dice):
    """Start it again and again, and kill it at random, until a process gets to its end."""
    kills = 0
    while True:
        process = started(environment, what)
        assert process.stdout.readline() == "working\n"
        if kills < 8:
            time.sleep(dice.uniform(0.05, 0.6))
            process.kill()
        told = process.stdout.read()
        process.wait(60)
        if process.returncode == 0:
            return told, kills
        kills += 1


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled(environment):
    dice = random.Random(f"{time.time():.0f}")
    started(environment, "make", str(ROWS)).wait(60)

    told, kills = until_it_ends(environment, "purge", dice)
    assert told == f"told succeeded [0, 0] {2 * ROWS} 0 0 {ROWS}\n"
    undone, more = until_it_ends(environment, "undo", dice)

    assert undone == f"told succeeded [{ROWS}, {ROWS}] 0 {ROWS} 0 {2 * ROWS}\n"
    print(f"{kills} kills of the purge, {more} of the undo")
