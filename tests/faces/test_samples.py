import re

import pytest

from chat.models import Conversation
from housekeeping.runs.work import execution
from tests import make
from tests.conftest import with_token
from tests.make import days
from tests.visitors import account

pytestmark = pytest.mark.django_db

SCHEDULER = "/api/admin/scheduler"


@pytest.fixture
def plan():
    make.conversation(age=days(31), title="The <oldest>")
    run = make.run(dry_run=True)
    return execution.execute(execution.claim(run.pk, 0))


def told(client, plan):
    """The text of the row that the plan names, by each address that gives runs."""
    addresses = [f"results/{plan.pk}", f"runs/{plan.pk}", "runs"]
    found = [client.get(f"{SCHEDULER}/{address}").json() for address in addresses]
    bodies = [*found[:2], found[2]["results"][0]]
    return {body["plan"]["conversations"]["sample"][0]["text"] for body in bodies}


def test_who_may_view_reads_the_words_while_the_row_is_there(api, plan):
    before = told(api, plan)

    Conversation.objects.all().delete()

    assert (before, told(api, plan)) == ({"The <oldest>"}, {None})


def test_who_may_operate_and_not_view_starts_a_dry_run_and_reads_no_words(worker):
    make.conversation(age=days(31), title="A secret")
    body = {"task": "conversations", "dry_run": True}

    texts = []
    for rights in (("operate",), ("operate", "view_run")):
        answer = with_token(account(*rights)).post(f"{SCHEDULER}/trigger", body, format="json")
        texts.append(answer.json()["run"]["plan"]["conversations"]["sample"][0]["text"])

    assert texts == [None, "A secret"]


def test_the_run_s_page_shows_the_words_while_the_row_is_there(dashboard, plan):
    page = f"/scheduler-admin/runs/{plan.pk}"
    before = dashboard.get(page).text

    Conversation.objects.all().delete()
    after = dashboard.get(page).text

    assert "The &lt;oldest&gt;" in before
    assert "oldest&gt;" not in after
    assert re.search(r"<code>\d+</code> <span class=\"muted\">gone</span>", after)
