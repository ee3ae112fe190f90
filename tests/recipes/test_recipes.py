"""Each recipe against the real app from PyPI, in a project of its own: ``host/settings.py``.

The tests of a recipe are in ``cases/``, one file each, and run in a process with that project's settings:
tests/prove/test_recipes.py runs them.
"""

import os
import subprocess
import sys
from pathlib import Path

from django.core.checks import run_checks

from housekeeping.recipes import RECIPES

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CASES = sorted({path.stem for path in (HERE / "cases").glob("*.py")} - {"__init__", "every_project"})
# Without the settings and fixtures of the site's tests.
PYTEST = ["-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ROOT, "--noconftest"]
PYTEST += ["-p", "pytest_django.plugin", "-p", "no:cacheprovider"]


def run(folder, recipes, *words, server=""):
    """Run Python in a process of its own, whose project has these recipes switched on."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "DJANGO_SETTINGS_MODULE": "tests.recipes.host.settings",
        "HOST_FOLDER": str(folder),
        "HOST_RECIPES": ",".join(recipes),
        "HOST_POSTGRES": server,
    }
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def check_cases(recipe, folder, server=""):
    files = [HERE / "cases" / f"{name}.py" for name in (recipe, "every_project")]

    done = run(folder, [recipe], *PYTEST, *files, server=server)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_recipe_has_cases():
    # tests/app/test_history.py, tests/chat/sign_in/test_sessions.py
    of_the_site = {"sessions", "axes", "simplejwt", "user_sessions"}

    assert {*CASES} | of_the_site == {*RECIPES}


def test_check_reports_a_recipe_without_its_app_and_an_unknown_one(settings):
    reasons = {
        "celery_results": "its app, django_celery_results, is not installed",
        "dust": f"there is no such recipe; choose one of {', '.join(RECIPES)}",
    }
    settings.HOUSEKEEPING_RECIPES = ["sessions", *reasons]

    found = [error.msg for error in run_checks() if error.id == "housekeeping.E009"]

    assert found == [
        f"HOUSEKEEPING_RECIPES: {name!r} can't be used: {reason}." for name, reason in reasons.items()
    ]


def test_all_recipes_together_pass_the_checks(tmp_path):
    done = run(tmp_path, RECIPES, "-m", "django", "check", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr
