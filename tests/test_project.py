"""The promises between rooms."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chat import urls as chat_urls
from housekeeping.api import urls as api_urls
from housekeeping.registry import TASKS

ROOT = Path(__file__).parent.parent
CORE = [
    "clock", "exceptions", "discreet", "private", "transient", "stored", "triggers", "models",
    "constraints", "policies", "cascade", "holds", "archive", "locks", "purge", "guard", "plans",
    "restore", "verification",
    "registry", "samples", "stats", "gauges", "impact", "steps", "smtp", "mailing", "tasks", "acts",
    "keeping", "consumers", "outbox", "alerts", "retentions", "tallies", "logs", "endings", "attempts",
    "runs", "receipts", "schedules", "search", "bulk", "record", "run_page", "verdict", "overview", "as_json",
    "metrics", "checks",
]  # fmt: skip
# A task that is added to these needs no other file, hence no line in the docs.
SHIPPED = {"all", "conversations", "messages", "users", "stats", "history", "verification"}
FACES = [
    "queue",
    "dashboard",
    "api",
    "management",
    "probes",
    "faults",
    "headers",
    "autostart",
    "admin",
    "templatetags",
]


def imports(path):
    """The modules that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_every_module_of_housekeeping_has_a_room():
    there = {path.stem for path in (ROOT / "housekeeping").iterdir() if not path.name.startswith("_")}

    assert there - {"apps", "migrations"} == {*CORE, *FACES}


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_no_face_and_no_http(module):
    forbidden = [f"housekeeping.{face}" for face in FACES]
    forbidden += ["huey", "rest_framework", "django_htmx", "django.http", "django.template"]

    found = imports(ROOT / "housekeeping" / f"{module}.py")

    assert not [name for name in found for prefix in forbidden if (name + ".").startswith(prefix + ".")]


@pytest.mark.parametrize("path", sorted((ROOT / "chat").rglob("*.py")), ids=lambda path: path.stem)
def test_of_the_chat_only_the_admin_knows_of_housekeeping(path):
    known = [name for name in imports(path) if name.startswith("housekeeping")]

    assert known == [] or path.stem == "admin"  # what is done there is on record


def test_only_the_queue_room_imports_huey():
    importers = {
        path.relative_to(ROOT).parts[1]
        for path in (ROOT / "housekeeping").rglob("*.py")
        if any((name + ".").startswith("huey.") for name in imports(path))
    }

    assert importers == {"queue", "management"}  # run_huey extends Huey's command of that name


def test_only_stats_and_tasks_name_the_chat():
    importers = {
        path.stem
        for path in (ROOT / "housekeeping").rglob("*.py")
        if any(name.startswith("chat") for name in imports(path))
    }

    assert importers == {"stats", "tasks"}


def test_everything_that_is_installed_is_pinned():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [
            line
            for line in (ROOT / name).read_text().splitlines()
            if line and not line.startswith((" ", "#"))
        ]
        assert lines
        assert all("==" in line for line in lines)
        assert "http" not in (ROOT / name).read_text()


def test_the_migrations_are_complete():
    command = [sys.executable, ROOT / "manage.py", "makemigrations", "--check", "--dry-run"]

    subprocess.run(command, env=os.environ | {"DJANGO_SETTINGS_MODULE": "site_config.settings"}, check=True)


def variables():
    """The environment variables that settings.py reads."""
    tree = ast.parse((ROOT / "site_config/settings.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and getattr(call.func.value, "id", "") == "env"
        and isinstance(call.args[0], ast.Constant)
    }


def test_the_readme_names_every_setting():
    readme = (ROOT / "README.md").read_text()

    assert {name for name in variables() if f"`{name}`" not in readme} == {"ENV_FILE"}


@pytest.mark.parametrize("document", ["README.md", "docs/glossary.md"])
def test_the_docs_name_every_task_that_comes_with_the_site(document):
    text = (ROOT / document).read_text()

    assert TASKS.keys() >= SHIPPED
    assert [name for name in SHIPPED if f"`{name}`" not in text] == []


def test_the_api_docs_name_every_address():
    text = (ROOT / "docs/api.md").read_text()
    routes = [str(route.pattern) for route in api_urls.urlpatterns + chat_urls.urlpatterns]
    plain = [
        re.sub(r"\(\?P<pk>.*?\)(?=/|$)", "<id>", route).strip("^$").removesuffix("/?") for route in routes
    ]

    assert [address for address in plain if address.replace("\\", "") not in text] == []


def test_every_decision_has_a_number_of_its_own():
    names = sorted(path.name[:4] for path in (ROOT / "docs/decisions").iterdir())

    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]


def test_every_test_that_the_security_page_names_is_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/security.md").read_text()))
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert len(named) > 80
    assert {name for name in named if f"def {name}(" not in tests} == set()
