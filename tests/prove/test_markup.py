"""Every page of the dashboard in the Nu HTML checker, which knows the standard."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from django.test import Client

from tests import make
from tests.browser import doors, world
from tests.prove import npm
from tests.services import need

pytestmark = pytest.mark.django_db(transaction=True)

HOME = world.HOME
SCHEDULES = ("daily_housekeeping", "statistics_generation")
POLICIES = ("messages", "users", "runs")
# htmx's own attributes, which no standard knows.
OF_HTMX = r"Attribute “hx-[^”]+” not allowed on element .*"


@pytest.fixture(scope="module")
def errors_in():
    """A function that writes pages into a folder, and returns what the checker says about them."""
    java = need("Java", shutil.which("java"))
    jar = npm.package("vnu-jar") / "build/dist/vnu.jar"

    def check(pages, folder):
        for name, text in pages.items():
            (folder / f"{name.replace('/', ' ')}.html").write_text(text)
        command = [java, "-jar", jar, "--format", "json", "--exit-zero-always", "--filterpattern", OF_HTMX]
        done = subprocess.run([*command, *folder.iterdir()], capture_output=True, text=True, check=True)
        said = json.loads(done.stderr)["messages"]
        return [f"{Path(one['url']).name}: {one['message']} {one.get('extract')}" for one in said]

    return check


@pytest.fixture
def visit(transactional_db):
    """A function that reads pages by name, as an administrator or signed out."""

    def read(addresses, *, user=None, **headers):
        client = Client(headers=headers)
        if user:
            client.force_login(user)
        pages = {}
        for name, address in addresses.items():
            answer = client.get(address, follow=True)
            refused = name.endswith(("refused", "not found"))
            assert refused or answer.status_code == 200, f"{name}: {answer.status_code}"
            pages[name] = answer.text
        return pages

    return read


def more_states(made):
    """Addresses that world.pages lacks: what a visitor reaches by typing, pressing and choosing."""
    runs, tasks = f"{HOME}/runs", ("conversations", "all", "stats", "users", "history")
    asked = {"carry-out": made["plan"], "approve": made["held"], "retry": made["failed"]}
    return {
        **{f"task {name}": f"{HOME}/tasks/{name}" for name in tasks},
        **{f"schedule {name}": f"{HOME}/schedules/{name}" for name in SCHEDULES},
        **{f"policy {name}": f"{HOME}/policies/{name}" for name in POLICIES},
        **{f"{act} asked": f"{runs}/{run.pk}/{act}" for act, run in asked.items()},
        "trends of a month": f"{HOME}/trends?days=30",
        "tables by growth": f"{HOME}/tables?sort=growth",
        "draft refused": f"{HOME}/tables/chat_conversation?days=0",
        "runs, none": f"{runs}?text=no+such+text",
        "runs, oldest": f"{runs}?oldest=1",
        "history filtered": f"{HOME}/history?who=ada",
        "history refused": f"{HOME}/history?after=nope",
        "retention refused": f"{HOME}/policies/conversations?retention_days=0",
    }


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_page_has_an_error(visit, errors_in, tmp_path, language):
    ada = make.administrator(username="ada")
    made = world.a_night()
    addresses = world.pages(made, make.visitor()) | more_states(made)

    pages = visit(addresses, user=ada, accept_language=language)

    assert errors_in(pages, tmp_path) == []


def test_nor_has_an_empty_site(visit, errors_in, tmp_path):
    names = (*world.LISTS, "/tasks/users")

    pages = visit({f"empty{name}": HOME + name for name in names}, user=make.administrator())

    assert errors_in(pages, tmp_path) == []


def test_nor_has_a_page_to_sign_in_or_of_one_s_account(transactional_db, errors_in, tmp_path):
    shown = {name: client.get(path, follow=True) for name, (client, path) in doors.pages().items()}
    refused = doors.refused()
    assert {name: answer.status_code for name, answer in shown.items() if answer.status_code != 200} == {}
    assert {name: answer.status_code for name, answer in refused.items() if answer.status_code >= 400} == {
        "question answered wrong": 422
    }

    pages = {name: answer.text for name, answer in (shown | refused).items()}

    assert errors_in(pages, tmp_path) == []


def test_nor_has_a_page_after_an_act_or_with_a_dialog_open(errors_in, tmp_path):
    client = Client()
    client.force_login(make.administrator(username="ada"))
    world.a_night()
    overview = client.get(HOME).text
    before, dialog, after = overview.partition('<dialog id="asked" aria-labelledby="asked-title">')
    assert dialog
    pages = {}
    for name in ("tasks/conversations", "tasks/conversations/trigger"):
        fragment = client.get(f"{HOME}/{name}", headers={"HX-Request": "true"})
        assert fragment["HX-Retarget"] == "#asked"
        pages[f"dialog {name}"] = before + dialog + fragment.text + after
    acts = {
        "schedules/weekly_cleanup/pause": {},
        "schedules/weekly_cleanup/change": {"trigger": "nope"},
        "policies/users/retention": {"retention_days": "0"},
        "policies/users/reset": {},
        "holds/add": {"model": "chat.Conversation", "key": "", "reason": ""},
        "tasks/conversations/trigger": {"dry_run": "true"},
        "erasures/begin": {"account": "nobody"},
    }
    for name, fields in acts.items():
        pages[f"after {name}"] = client.post(f"{HOME}/{name}", fields, follow=True).text

    assert errors_in(pages, tmp_path) == []


def test_an_error_would_be_seen(visit, errors_in, tmp_path):
    pages = visit({"overview": HOME}, user=make.administrator())

    [error] = errors_in({"overview": pages["overview"].replace("</main>", "<li></main>")}, tmp_path)

    assert "Element “li” not allowed" in error
