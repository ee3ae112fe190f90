"""The tutorial, and every how-to page of the docs in its project, followed from top to bottom."""

import shutil

import pytest

from tests.docs.snippets import DOCS, TUTORIAL, Project
from tests.processes import ROOT
from tests.services import wait_until

# tests/docs/test_use_the_api.py follows the first one.
ON_THE_SITE = {"use-the-api.md", "the-demo-site.md"}
ON_A_PROJECT = sorted(path.name for path in (DOCS / "howto").glob("*.md") if path.name not in ON_THE_SITE)


def test_the_tutorial_leads_to_a_purge_and_back(tmp_path):
    project = Project(tmp_path, tmp_path / "db.sqlite3")
    try:
        project.follow(TUTORIAL.read_text())

        notes = "SELECT COUNT(*) FROM notes_note"
        wait_until(lambda: project.ask(notes) == [(300,)], what="the undo")
    finally:
        project.end()


@pytest.fixture(scope="module")
def beginning(tmp_path_factory):
    """The folder of the tutorial's project after its fifth step."""
    folder = tmp_path_factory.mktemp("shop")
    Project(folder, folder / "db.sqlite3").follow(TUTORIAL.read_text().partition("\n## 6. ")[0])
    return folder


@pytest.fixture
def project(beginning, tmp_path):
    folder = shutil.copytree(beginning, tmp_path / "shop")
    made = Project(folder, folder / "db.sqlite3")
    yield made
    made.end()


@pytest.mark.parametrize("page", ON_A_PROJECT)
def test_a_page_can_be_followed(page, project, request):
    text = (DOCS / "howto" / page).read_text()
    for name, fixture in (("QUEUE_URL", "postgres_url"), ("REDIS_URL", "redis_url")):
        if name in text:
            project.variables[name] = request.getfixturevalue(fixture)

    project.follow(text)


def test_the_page_about_the_site_can_be_followed(tmp_path):
    database = tmp_path / "db.sqlite3"
    places = {"DATABASE_URL": f"sqlite:///{database}", "HUEY_URL": f"sqlite:///{tmp_path}/huey.sqlite3"}
    site = Project(ROOT, database, places)

    site.follow("```sh\npython manage.py migrate\n```\n" + (DOCS / "howto/the-demo-site.md").read_text())
