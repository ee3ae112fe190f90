"""What a run keeps for its undo is damaged, or can't be verified: the command, the API, the verdict."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from chat.models import Conversation
from housekeeping.database import clock
from housekeeping.engine import verification
from housekeeping.models import Archive, Run
from housekeeping.reading import overview
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)

DAMAGE = "conversations, chat.ChatMessage, batch 1: it can't be unpacked: it is cut short."


@pytest.fixture
def run(transactional_db):
    """A purge of two conversations, each in a batch of its own."""
    for _ in range(2):
        make.conversation(age=days(40), messages=1)
    asked = control.request("conversations", send=lambda run: None)
    return execution.execute(execution.claim(asked.pk, 0), batch_size=1)


def damaged(run):
    kept = run.archives.order_by("pk").first()
    Archive.objects.filter(pk=kept.pk).update(payload=bytes(kept.payload)[:-1])


def without_digests(run):
    """As version 1.0 has kept it, and a part of it is gone."""
    run.archives.update(batch=None, position=None, before=None, digest=None)
    Run.objects.filter(pk=run.pk).update(archives_kept=None)
    run.archives.filter(batch=None, emptied="").order_by("pk").last().delete()


def verify(*words):
    """The exit status of the command, and what it prints."""
    out = StringIO()
    try:
        call_command("housekeeping_runs", "verify", *words, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def undo(api, run, **fields):
    """The end of the undo that the API was asked for."""
    answer = api.post(f"/api/admin/scheduler/runs/{run.pk}/undo", {"wait": 0, **fields}, format="json")
    return execution.execute(execution.claim(answer.json()["run"]["id"], 0))


def test_the_command_says_that_everything_is_intact(run):
    status, printed = verify()

    assert status == 0
    head, line = printed.splitlines()
    assert head.split() == ["run", "state", "archives", "receipts"]
    assert line.split() == [str(run.pk), "intact", "4", "conversations", "verified"]


def test_the_command_names_the_damaged_archive_and_fails(run):
    damaged(run)

    status, printed = verify(str(run.pk))

    assert status == 1
    assert printed.splitlines()[1].split()[:3] == [str(run.pk), "damaged", "4"]
    assert DAMAGE in printed


def test_the_command_says_the_same_as_json(run):
    damaged(run)

    status, printed = verify("--json")

    [found] = json.loads(printed)
    assert (status, found["run"], found["intact"], found["findings"]) == (1, str(run.pk), False, [DAMAGE])


def test_the_command_has_nothing_to_verify_where_no_run_keeps_anything():
    assert verify() == (0, "No run has archives.\n")


def test_the_api_puts_back_what_is_intact_only_where_it_is_told_to(api, run):
    damaged(run)

    refused, done = undo(api, run), undo(api, run, intact_only=True)

    assert (refused.status, done.status, Conversation.objects.count()) == ("failed", "succeeded", 1)
    assert DAMAGE in refused.error


def test_the_api_puts_back_the_unverified_only_where_it_is_told_to(api, run):
    without_digests(run)

    refused, done = undo(api, run), undo(api, run, unverified=True)

    assert (refused.status, done.status) == ("failed", "succeeded")
    assert "can't be verified" in refused.error
    assert Conversation.objects.count() == 1


def test_the_verdict_names_the_run_and_what_is_damaged(run):
    make.consumer()
    damaged(run)
    verification.verify(run)

    [finding] = overview.overview(clock.roughly()).verdict.findings

    assert (finding.level, finding.run) == ("bad", run)
    assert DAMAGE in finding.text
