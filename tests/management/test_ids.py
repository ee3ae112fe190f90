"""Ids on the command line: complete, or as many characters as pages and lists show."""

import json
import uuid

import pytest
from django.core.management import CommandError

from housekeeping.models import Hold, Run
from tests import make
from tests.management.commands import output

pytestmark = pytest.mark.django_db

SHORT = "abcd1234"
OTHER = "abcd1235"
# Eight digits, which could also be the number of a hold.
DIGITS = "12345678"


def run(start, task="stats", **fields):
    return make.run(task, pk=uuid.UUID(start.ljust(32, "7")), **fields)


def shown(*words):
    return json.loads(output(*words, "--json"))


@pytest.mark.parametrize("text", [SHORT, "ABCD1234", "abcd1234-77", "abcd1234777"])
def test_the_start_of_an_id_finds_its_run(text):
    found = run(SHORT)
    run(OTHER, "users")

    assert shown("housekeeping_runs", "show", text)["id"] == str(found.pk)


def test_each_act_on_a_run_takes_the_start_of_its_id(transactional_db):
    failed, waiting = run(SHORT, status="failed"), run(OTHER, "users")
    purge = make.purge()

    assert shown("housekeeping_runs", "retry", SHORT)["retry_of"] == str(failed.pk)
    assert shown("housekeeping_runs", "cancel", OTHER)["id"] == str(waiting.pk)
    assert shown("housekeeping_runs", "verify", str(purge.pk)[:8])[0]["run"] == str(purge.pk)
    undo = shown("housekeeping_runs", "undo", str(purge.pk)[:8])
    assert undo["undo_of"] == str(purge.pk)
    assert shown("housekeeping_runs", "carry-out", undo["id"][:8])["status"] == "succeeded"


def test_a_plan_is_named_by_the_start_of_its_id():
    make.conversation(age=make.days(31))
    dry = shown("run_housekeeping", "--task", "conversations", "--dry-run")["run"]

    done = shown("run_housekeeping", "--task", "conversations", "--plan", dry["id"][:8], "--yes")["run"]

    assert done["plan_of"] == dry["id"]


def test_a_held_run_is_approved_by_the_start_of_its_id(transactional_db):
    held = run(SHORT, "conversations", status="held")

    assert shown("housekeeping_runs", "approve", SHORT)["id"] == str(held.pk)


@pytest.mark.parametrize("start", [SHORT, DIGITS])
def test_the_holds_of_an_undo_are_named_by_the_start_of_its_id(start):
    undo = run(start, "conversations", undo_of=run(OTHER, "conversations", status="succeeded"))
    row = make.conversation()
    Hold.objects.create(model="chat.Conversation", key=str(row.pk), undo=undo)

    assert len(shown("housekeeping_holds", "list", "--undo", start)) == 1
    assert shown("housekeeping_holds", "change", start, "--for-good")["changed"] == 1
    assert shown("housekeeping_holds", "end", start)["ended"] == 1


def test_the_number_of_a_hold_comes_before_the_start_of_an_id():
    run(DIGITS, "conversations", undo_of=run(OTHER, "conversations", status="succeeded"))
    row = make.conversation()
    Hold.objects.create(pk=int(DIGITS), model="chat.Conversation", key=str(row.pk), reason="A dispute")

    assert shown("housekeeping_holds", "change", DIGITS, "--for-good")["id"] == int(DIGITS)


def test_a_start_that_several_runs_share_lists_them():
    first, second = (run(f"{SHORT}{end}", task) for end, task in (("1", "stats"), ("2", "users")))

    with pytest.raises(CommandError) as refused:
        output("housekeeping_runs", "cancel", SHORT)

    assert f"The ids of several runs start with {SHORT}:" in str(refused.value)
    assert f"{first.pk}  " in str(refused.value)
    assert f"{second.pk}  " in str(refused.value)
    assert refused.value.returncode == 1
    assert Run.objects.filter(status="queued").count() == 2


@pytest.mark.parametrize("text", ["abcd123", "nonsense", "-" * 8, "abcd1234" * 4 + "1"])
def test_less_than_eight_characters_or_other_words_are_refused(text):
    run(SHORT)

    with pytest.raises(CommandError, match=r"not an id|required"):
        output("housekeeping_runs", "show", text)


def test_the_list_of_an_undo_that_is_gone_is_empty():
    assert shown("housekeeping_holds", "list", "--undo", str(uuid.uuid4())) == []
    with pytest.raises(CommandError, match=f"There is no run {SHORT}"):
        output("housekeeping_holds", "list", "--undo", SHORT)
