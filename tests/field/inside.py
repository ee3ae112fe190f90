"""Runs a script in the environment of a project, and prints the JSON that it tells: SCRIPT PROJECT."""

import importlib
import json
import os
import sys
from typing import Any

import django
from django.conf import settings

from tests.field.projects import DJANGO, PROJECTS, Project

OURS = ["huey.contrib.djhuey", "housekeeping"]


def configure(project: Project) -> None:
    """The project's own settings, with our app and an empty database."""
    ours: dict[str, Any] = {
        "DATABASES": {"default": json.loads(os.environ["FIELD_DATABASE"])},
        "HUEY": {"huey_class": "huey.MemoryHuey"},
    }
    if not project.apps:
        os.environ["DJANGO_SETTINGS_MODULE"] = project.defaults
        ours["INSTALLED_APPS"] = list(dict.fromkeys([*settings.INSTALLED_APPS, *OURS]))
        for key, value in ours.items():
            setattr(settings, key, value)
        return
    module = importlib.import_module(project.defaults) if project.defaults else None
    defaults = {key: getattr(module, key) for key in dir(module) if key.isupper()} if module else {}
    settings.configure(
        INSTALLED_APPS=[*DJANGO, *project.apps, *OURS],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="none",
        SITE_ID=1,
        STATIC_URL="static/",
        USE_TZ=True,
        **ours,
        **defaults | project.settings,
    )


if __name__ == "__main__":
    script, name = sys.argv[1:]
    configure(PROJECTS[name])
    django.setup()
    print(json.dumps(importlib.import_module(f"tests.field.{script}").tell(name)))
