"""The site as a process of its own, with an environment that holds nothing but what a test names."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
SECRET_KEY = "a key for the tests alone, as long as Django wants one to be"


def manage(scratch: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return project(scratch, "manage.py", *words, **variables)


def project(scratch: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Python in this very project; its database and its queue are in ``scratch``."""
    variables = {
        "DJANGO_SETTINGS_MODULE": "site_config.settings",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": f"sqlite:///{scratch}/db.sqlite3",
        "HUEY_URL": f"sqlite:///{scratch}/huey.sqlite3",
    } | variables
    return python(PROJECT, *words, **variables)


def fresh_clone(folder: Path) -> Path:
    """The settings alone in a folder of their own, in which nothing has been made yet."""
    (folder / "site_config").mkdir(parents=True)
    files = ["__init__.py", "database.py", "env.py", "logs.py", "refusals.py", "settings.py", "telemetry.py"]
    for name in files:
        shutil.copy(PROJECT / "site_config" / name, folder / "site_config")
    (folder / "housekeeping/database").mkdir(parents=True)
    # What the settings import of the app.
    files = ["__init__.py", "conf.py", "run_context.py", "signals.py"]
    files += ["database/__init__.py", "database/discreet.py", "database/private.py"]
    for name in files:
        shutil.copy(PROJECT / "housekeeping" / name, folder / "housekeeping" / name)
    return folder


def settings(root: Path, *names: str, **variables: str) -> Any:
    """The settings of these names as the site in ``root`` has them: one alone, more as a list."""
    code = "import json, sys; from site_config import settings; names = sys.argv[1:]\n"
    code += "print(json.dumps([getattr(settings, name, None) for name in names], default=str))"
    process = python(root, "-c", code, *names, **variables)
    assert process.returncode == 0, process.stderr
    values = json.loads(process.stdout)
    return values if len(names) > 1 else values[0]


def python(
    folder: Path, *words: str, umask: int = -1, **variables: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"} | variables,
        umask=umask,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
