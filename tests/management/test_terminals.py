"""What commands print on a real (pseudo) terminal and into a pipe."""

import os
import pty
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

from tests import make
from tests.management.commands import manage

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="a process finds the test's database by its file"
    ),
]


def on_a_terminal(*words, columns=80, **variables):
    """What the command writes to a terminal of this width."""
    ours, its = pty.openpty()
    told = os.environ | {"DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}", "TERM": "xterm"}
    told = {name: value for name, value in told.items() if name not in ("NO_COLOR", "DJANGO_COLORS")}
    command = [sys.executable, "manage.py", *words]
    process = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=told | {"COLUMNS": str(columns)} | variables,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    printed = b""
    try:
        while read := os.read(ours, 65536):
            printed += read
    except OSError:  # Linux's way to say that nobody has the other end open any more
        pass
    os.close(ours)
    assert process.wait(60) == 0, printed
    return printed.decode().replace("\r\n", "\n")


@pytest.fixture
def failed():
    return make.run("stats", status="failed", error="Out of ink and paper. " * 6)


def test_a_terminal_gets_colours_short_ids_and_lines_that_fit(failed):
    printed = on_a_terminal("housekeeping_runs", columns=100)

    assert "\x1b[31mfailed" in printed
    assert f"\n{str(failed.pk)[:8]}  " in printed.replace("\x1b[0m", "")
    assert str(failed.pk) not in printed
    plain = on_a_terminal("housekeeping_runs", "--no-color", columns=100)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 100


@pytest.mark.parametrize("words", [["--no-color"], []], ids=["the option", "NO_COLOR"])
def test_colours_can_be_switched_off(failed, words):
    variables = {} if words else {"NO_COLOR": "1"}

    assert "\x1b" not in on_a_terminal("housekeeping_runs", *words, **variables)


def test_a_pipe_gets_whole_ids_on_one_line_without_colours(failed):
    head, line = manage("housekeeping_runs", COLUMNS="40").stdout.splitlines()

    assert line.startswith(f"{failed.pk}  ")
    assert line.endswith(("Out of ink and paper. " * 6).strip())
    assert "\x1b" not in head + line
    assert "\x1b[31mfailed" in manage("housekeeping_runs", "--force-color", NO_COLOR="1").stdout


ASCII = {"PYTHONIOENCODING": "ascii"}


@pytest.mark.parametrize(
    ("action", "variables"),
    [
        ("list", ASCII),
        ("list", {"LANG": "C", "LC_ALL": "C"}),
        ("list", {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}),
        ("show", ASCII),
        ("--help", ASCII),
    ],
)
def test_no_encoding_ends_a_command(action, variables):
    run = make.run("stats", status="failed", error="Tinte \u2026 \U0001f408 ist aus", traceback="\u732b")

    done = manage("housekeeping_runs", action, *([str(run.pk)] if action == "show" else []), **variables)

    assert (done.returncode, done.stderr) == (0, "")
    if variables == ASCII and action != "--help":
        assert r"Tinte \u2026 \U0001f408 ist aus" in done.stdout


def test_no_encoding_ends_the_other_commands():
    row = make.conversation(title="Caf\u00e9")
    made = manage(
        "housekeeping_holds", "add", "chat.Conversation", str(row.pk), "--reason", "Caf\u00e9", **ASCII
    )
    refused = manage("housekeeping_holds", "end", "Caf\u00e9", **ASCII)

    assert (made.returncode, made.stderr) == (0, "")
    assert r"Caf\xe9" in made.stdout
    assert refused.returncode == 1
    assert r"Caf\xe9" in refused.stderr
    assert r"Caf\xe9" in manage("housekeeping_holds", **ASCII).stdout
