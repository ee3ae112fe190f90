"""An environment for each project, as its packages want other versions of Django."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.field.projects import PROJECTS
from tests.processes import ROOT

UV = str(Path(sys.executable).parent / "uv")
OURS = ["huey", "zstandard", "django-htmx", "cronsim", "tqdm", "rich"]  # what the app itself needs


SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


def on_postgres(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    found = {"HOST": parts.hostname, "PORT": parts.port, "USER": parts.username, "NAME": parts.path[1:]}
    return {"ENGINE": "django.db.backends.postgresql", **found}


def told(script: str, name: str, checkout: str = "", database: dict[str, Any] = SQLITE) -> Any:
    """What a script tells of a project, in its environment. ``checkout``: its source, if needed."""
    project = PROJECTS[name]
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/venv/bin/python"
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, f"{folder}/venv"], check=True)
        needed = (
            ["-r", str(ROOT / f"tests/field/packages/{name}.txt")] if project.checkout else project.packages
        )
        subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *needed, *OURS], check=True)
        # No settings of ours: the script has its own.
        environment = {key: text for key, text in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        paths = [ROOT, Path(checkout).resolve() / project.checkout] if checkout else [ROOT]
        environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
        environment |= project.environment | {"FIELD_DATABASE": json.dumps(database)}
        done = subprocess.run(
            [python, "-W", "ignore", "-m", "tests.field.inside", script, name],
            cwd=folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads(done.stdout.splitlines()[-1])
