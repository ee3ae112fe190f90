"""Each recipe against the real app from PyPI, in a project of its own: ``host/settings.py``.

The tests of a recipe are in ``cases/``, one file each, and run in a process with that project's settings:
tests/prove/test_recipes.py runs them.
"""

import json
import os
import re
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
    of_the_site = {"sessions", "axes", "simplejwt"}  # tests/app/test_history.py

    assert {*CASES} | of_the_site == {*RECIPES}


def test_check_reports_a_recipe_without_its_app_and_an_unknown_one(settings):
    reasons = {
        "celery_results": "its app, django_celery_results, is not installed",
        "dust": f"there is no such recipe; there are {', '.join(RECIPES)}",
    }
    settings.HOUSEKEEPING_RECIPES = ["sessions", *reasons]

    found = [error.msg for error in run_checks() if error.id == "housekeeping.E009"]

    assert found == [
        f"HOUSEKEEPING_RECIPES: {name!r} can't be used: {reason}." for name, reason in reasons.items()
    ]


def test_the_table_in_the_docs_matches_the_recipes(tmp_path):
    """Also shows that all recipes together pass ``manage.py check``."""
    done = run(tmp_path, RECIPES, "-m", "tests.recipes.host.facts")
    assert done.returncode == 0, done.stderr

    declared = [
        in_docs(recipe, policy, facts)
        for recipe, policies in json.loads(done.stdout).items()
        for policy, facts in policies.items()
        if facts["days"] or facts["is_upkeep"]  # without the one that follows another policy
    ]

    section = (ROOT / "docs/operations.md").read_text().partition("\n## Recipes\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `.+$", section, re.MULTILINE) == declared


def in_docs(recipe, policy, facts):
    """A row of the table."""
    days, shortest = facts["days"], facts["shortest_days"]
    kept = f"{days} day{'' if days == 1 else 's'}" if days else "until they expire"
    cells = [
        f"`{recipe}`",
        f"`{RECIPES[recipe]}`",
        f"`{policy}`".replace("tracked-order", "<app>-<model>"),
        f"`{facts['model']}`".replace("tracked.HistoricalOrder", "<app>.Historical<Model>"),
        kept + (f", {shortest} at least" if shortest > 1 else ""),
        "no" if facts["is_upkeep"] else "yes",
        "yes" if facts["has_index"] else "no",
    ]
    return f"| {' | '.join(cells)} |"
