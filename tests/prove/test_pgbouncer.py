"""The suites of the consumer, the core and the API, with PgBouncer in front of database and queue."""

import os
import subprocess
import sys

import pytest

from tests import services
from tests.processes import ROOT

CORE = ("chat", "database", "declared", "engine", "erasure", "journal", "runs", "steering", "reading")
FACES = ("api", "dashboard", "management", "monitoring", "faces", "docs/test_use_the_api.py")
# test_read_only.py makes a session read-only for good, and PgBouncer would hand it to others.
LEFT_OUT = ["test_matrix.py", "test_read_only.py"]
SUITES = {
    "consumer": [
        *map(str, ROOT.glob("tests/consumer/test_*.py")),
        str(ROOT / "tests/consumer/prove/test_faults.py"),
        str(ROOT / "tests/consumer/prove/test_forks.py"),
        "-k",
        "not sqlite and not redis and not autostart",
    ],
    "core": [f"tests/{room}" for room in CORE],
    "faces": [
        *(f"tests/{room}" for room in FACES),
        *(f"--ignore=tests/faces/{name}" for name in LEFT_OUT),
    ],
}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.timeout(3_600)
def test_all_goes_on_as_without_pgbouncer(suite):
    services.need("PgBouncer", services.pgbouncer_program())
    environment = os.environ | {"TEST_DATABASE": "pgbouncer"}
    words = [sys.executable, "-m", "pytest", "-q", "--reuse-db", "-p", "no:cacheprovider", *SUITES[suite]]

    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-20_000:]
