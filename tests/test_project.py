"""What must hold between files: settings, docs, tests, migrations."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from housekeeping.declared.registry import TASKS

ROOT = Path(__file__).parent.parent
# A task that is added to these needs no other file, hence no line in the docs.
SHIPPED = {
    "all",
    "conversations",
    "messages",
    "users",
    "stats",
    "history",
    "verification",
    "files",
    "erasures",
    "imports",
}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_everything_that_is_installed_is_pinned(name):
    text = (ROOT / name).read_text()
    pinned = [one for one in re.split(r"\n(?=\S)", text) if not one.startswith("#")]

    assert pinned
    assert [one for one in pinned if "==" not in one.splitlines()[0]] == []
    assert [one for one in pinned if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", one)] == []
    assert "://" not in text


@pytest.mark.parametrize("file", ["Makefile", "deploy/docker/Dockerfile"])
def test_a_file_with_another_hash_is_not_installed(file):
    installs = re.findall(r"pip install .*", (ROOT / file).read_text())

    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_the_migrations_are_complete():
    command = [sys.executable, ROOT / "manage.py", "makemigrations", "--check", "--dry-run"]

    subprocess.run(command, env=os.environ | {"DJANGO_SETTINGS_MODULE": "site_config.settings"}, check=True)


def test_the_readme_has_every_room_of_the_app_on_its_map():
    its_map = (ROOT / "README.md").read_text().partition("housekeeping/         THE APP")[2]
    rooms = {one.stem for one in (ROOT / "housekeeping").glob("[!_]*") if one.suffix in ("", ".py")}
    django = {"apps", "locale", "migrations", "static", "templates", "templatetags"}

    assert {room for room in rooms - django if not re.search(rf"\b{room}(/|\.py)", its_map)} == set()


@pytest.mark.parametrize("document", ["README.md", "docs/reference/glossary.md"])
def test_the_docs_name_every_task_that_comes_with_the_site(document):
    text = (ROOT / document).read_text()

    assert TASKS.keys() >= SHIPPED
    assert [name for name in SHIPPED if f"`{name}`" not in text] == []


def test_every_decision_has_a_number_of_its_own():
    names = sorted(path.name[:4] for path in (ROOT / "docs/explanation/decisions").glob("0*"))

    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]


def test_the_policy_for_reports_has_the_supported_versions_and_no_dead_link():
    policy, project = (ROOT / "SECURITY.md").read_text(), (ROOT / "pyproject.toml").read_text()

    djangos = re.findall(r"Framework :: Django :: ([\d.]+)", project)
    [python] = re.findall(r'requires-python = ">=([\d.]+)"', project)
    assert f"Python {python} and newer, Django {' and '.join(djangos)}." in policy
    linked = re.findall(r"\]\(([^)]+)\)", policy)
    assert linked
    assert [one for one in linked if not (ROOT / one).is_file()] == []


def test_every_test_that_the_security_page_names_is_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/explanation/security.md").read_text()))
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert len(named) > 80
    assert {name for name in named if f"def {name}(" not in tests} == set()
