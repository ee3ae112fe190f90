"""Every how-to page of the docs, followed from top to bottom in the tutorial's project."""

import shutil

import pytest

from tests.docs.snippets import DOCS, TUTORIAL, Project
from tests.processes import ROOT

# tests/docs/test_use_the_api.py follows the first one.
ON_THE_SITE = {"use-the-api.md", "the-demo-site.md"}
ON_A_PROJECT = sorted(path.name for path in (DOCS / "howto").glob("*.md") if path.name not in ON_THE_SITE)


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
