"""The app's suites on every Python from 3.12 on that this machine has, with the newest Django for it.

``make test`` runs all of them on the oldest, 3.11 with Django 5.2. A deprecated call of the app's own
code is an error.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

ROOMS = ("app", "database", "declared", "engine", "journal", "reading", "runs", "steering", "dashboard")
UV = str(Path(sys.executable).parent / "uv")
KINDS = ("DeprecationWarning", "PendingDeprecationWarning")
WARNINGS = "\n".join(["ignore", *(f"error::{kind}:housekeeping.*" for kind in KINDS)])


def had(version):
    """The program of that Python, if it is installed, by pyenv for example; none is downloaded."""
    by_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for program in filter(None, [shutil.which(f"python{version}"), *by_pyenv]):
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        if told.stdout.startswith(f"Python {version}."):
            return str(program)
    return None


PYTHONS = {version: program for version in ("3.12", "3.13", "3.14") if (program := had(version))}


@pytest.mark.parametrize("version", PYTHONS)
def test_the_app_runs_on_a_newer_python_and_the_newest_django(version, tmp_path):
    python = tmp_path / "venv/bin/python"
    (tmp_path / "override.txt").write_text("django>=6.0\n")
    subprocess.run([UV, "venv", "--quiet", "--python", PYTHONS[version], tmp_path / "venv"], check=True)
    wanted = ["-r", ROOT / "requirements-dev.txt", "--override", tmp_path / "override.txt"]
    subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *wanted], check=True)

    done = subprocess.run(
        [python, "-W", "ignore", "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile",
         "-p", "no:cacheprovider", "-o", f"filterwarnings={WARNINGS}", *(f"tests/{room}" for room in ROOMS)],
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if name != "TEST_DATABASE"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def test_there_are_newer_pythons_to_try():
    assert PYTHONS
