"""After an erasure, nothing tells of the person: all tables, archives and the queue are searched."""

import pytest
from axes.models import AccessLog
from huey.contrib.djhuey import HUEY

from chat.models import ChatMessage, Conversation, User
from housekeeping.engine import verification
from housekeeping.erasure import certificate, people, requests, work
from housekeeping.models import Act, Archive, Erasure, Hold, PlannedRows, Run
from housekeeping.queue import tasks as queue
from housekeeping.runs import control
from tests import make
from tests.erasure import traces
from tests.erasure.people import (
    MAIL,
    NAME,
    TRACES,
    WORDS,
    grace,
    leave_traces,
    of_others,
    others,
    preview,
    purge,
    talk,
)
from tests.make import days
from tests.zoo.tasks import undo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1


def erase(name=NAME):
    erasure = requests.store(people.find(name), by=make.ADA)
    return work.carry_out(erasure, forget_results=queue.forget_results_with)


def test_nothing_tells_of_the_person_and_other_people_s_rows_are_the_same():
    user, bob = grace(), others()
    talk(user)
    talk(user, age=days(40))
    run = purge()
    talk(user, age=days(35))
    plan = preview()
    leave_traces(user)
    before = of_others(bob)
    assert {place.partition(" ")[0] for place in traces.of(MAIL)} > {"chat_user.email", "result"}

    erasure = erase()

    assert erasure.state == "finished", erasure.reason
    # Bob's name begins with theirs, and his address ends with it.
    assert traces.of(*TRACES, besides=[bob.username, bob.email]) == []
    acts = before.pop()
    assert of_others(bob)[:-1] == before
    assert Act.objects.count() == acts + 1
    assert not verification.verify(run).findings()
    assert PlannedRows.objects.filter(run=plan, rows=1).exists() is False


def test_an_account_that_lives_only_in_archives_is_found_by_its_keys():
    user = grace(is_active=False, email_verified_at=None, date_joined=make.ago(days=20))
    old, bob = talk(user, age=days(40)), others()
    conversations = purge()
    talk(user)
    users = purge("users")
    assert not User.objects.filter(username=NAME).exists()
    assert traces.of(WORDS)

    erasure = erase(MAIL)

    assert traces.of(*TRACES, besides=[bob.username, bob.email]) == []
    assert erasure.archived["chat.User"] == 1
    assert erasure.archived["chat.Conversation"] == 2
    assert erasure.archived["chat.ChatMessage"] == 4
    for run in (users, conversations):
        run.refresh_from_db()
        assert not verification.verify(run).findings()
    undone = undo(conversations)
    assert (undone.status, undone.result["not_restored"]) == ("succeeded", {})
    assert Conversation.objects.filter(title="Bob's old one").exists()
    assert not Conversation.objects.filter(pk=old.pk).exists()


def test_the_act_stays_under_the_pseudonym():
    user = grace()
    leave_traces(user)

    erasure = erase()

    trigger = Act.objects.get(what="trigger")
    assert (trigger.who, trigger.origin) == (erasure.pseudonym, "dashboard")
    assert Act.objects.get(what="change rights").target == f"chat.User {erasure.pseudonym}"
    assert Act.objects.get(what="delete").details["keys"] == [erasure.pseudonym, "999999"]
    assert (Act.objects.get(what="erase").who, Act.objects.get(what="erase").target) == (
        "ada",
        erasure.pseudonym,
    )
    run = Run.objects.get(status="failed")
    assert (run.requested_by, run.approved_by) == (erasure.pseudonym, erasure.pseudonym)
    assert run.result[erasure.pseudonym] == 1
    assert list(Hold.objects.values_list("key", "made_by")) == [("999999", erasure.pseudonym)]


def test_the_certificate_tells_what_when_how_much_and_what_can_t_be_reached():
    user = grace()
    talk(user)
    leave_traces(user)

    erasure = erase()
    erasure.refresh_from_db()

    issued = erasure.certificate
    assert certificate.digest(issued) == erasure.digest
    assert issued["deleted"] == {
        "chat.User": 1,
        "chat.Conversation": 1,
        "chat.ChatMessage": 2,
        "admin.LogEntry": 1,
        "axes.AccessLog": 2,
        "axes.AccessFailureLog": 2,
        "axes.AccessAttempt": 2,
        "token_blacklist.OutstandingToken": 1,
        "sessions.Session": 1,
        "housekeeping.Hold": 1,
        "housekeeping.Delivery": 1,
    }
    # Some of these rows name the person in several columns.
    assert issued["changed"] == {
        "housekeeping.Act": 4,
        "housekeeping.Channel": 1,
        "housekeeping.Delivery": 1,
        "housekeeping.Hold": 1,
        "housekeeping.Incident": 1,
        "housekeeping.LogLine": 2,
        "housekeeping.Run": 1,
        "housekeeping.TaskState": 1,
    }
    assert any("Backups" in text for text in issued["not_reached"])
    assert (erasure.person, erasure.found) == (None, None)


def test_what_nobody_has_declared_is_named_on_the_certificate():
    grace()
    make.message(content=f"Write to {MAIL}!")

    erasure = erase()

    assert erasure.certificate["left"] == {"chat.ChatMessage.content": 1}


def test_huey_s_copies_of_results_go_and_those_of_others_stay():
    user = grace()
    leave_traces(user)

    erase()

    assert HUEY.result("a task of the site", preserve=True) is None
    assert HUEY.result("another one", preserve=True) == {"to": "bob@example.com"}


def test_a_plan_can_still_be_carried_out_without_the_person_s_rows():
    user = grace()
    talk(user, age=days(40))
    kept = make.conversation(age=days(40))
    plan = preview()
    erase()

    run = purge(plan=Run.objects.get(pk=plan.pk))

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 1})
    assert not Conversation.objects.filter(pk=kept.pk).exists()


def test_a_name_that_is_a_word_of_the_site_is_replaced_only_where_it_stands_for_the_account():
    make.user(username="stats", email="stats@example.com")
    run = make.run("stats", status="succeeded", requested_by="stats", result={"stats": {"total": 1}})

    erasure = erase("stats")
    run.refresh_from_db()

    assert (run.task, run.result) == ("stats", {"stats": {"total": 1}})
    assert run.requested_by == erasure.pseudonym
    assert certificate.COMMON_NAME in erasure.certificate["not_reached"]


def test_erased_rows_are_not_deleted_by_a_run_s_undo_and_its_receipt_tells():
    user = grace()
    talk(user, age=days(40))
    make.conversation(age=days(40), messages=1)
    run = purge()

    erase()
    run.refresh_from_db()

    assert run.erased == {"conversations": {"chat.Conversation": 1, "chat.ChatMessage": 2}}
    undone = undo(run)
    assert undone.result["restored"] == {"chat.Conversation": 1, "chat.ChatMessage": 1}
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (1, 1)


def test_a_purge_beside_it_keeps_no_copy():
    """The purge deletes what is left of the person after the archives were searched for the first time."""
    user = grace()
    talk(user)
    old = [talk(user, age=days(40)) for _ in range(3)]
    purged = []

    def purge_once():
        if not purged and Erasure.objects.filter(state="running").exists():
            purged.append(purge())

    erasure = requests.store(people.find(NAME), by=make.ADA)
    work.carry_out(erasure, checkpoint=purge_once)

    assert purged[0].deleted == {"conversations": len(old)}
    assert erasure.state == "finished"
    assert traces.of(*TRACES) == []
    assert Archive.objects.get(model="chat.Conversation").rows == 0


@pytest.mark.parametrize("moment", range(2, 60, 8))
def test_an_undo_beside_it_brings_nothing_back(moment):
    user = grace(is_active=False, email_verified_at=None, date_joined=make.ago(days=20))
    talk(user)
    run = purge("users")
    looks = []

    def undo_once():
        looks.append(1)
        if len(looks) == moment and Erasure.objects.filter(state="running").exists():
            undo(Run.objects.get(pk=run.pk))

    erasure = requests.store(people.find(NAME), by=make.ADA)
    work.carry_out(erasure, checkpoint=undo_once)

    assert erasure.state == "finished"
    assert traces.of(*TRACES) == []
    assert not User.objects.filter(username=NAME).exists()


def test_sign_ins_are_found_in_any_case_and_others_stay():
    grace()
    make.user(username="bob")
    for name in (NAME.upper(), "bob"):
        AccessLog.objects.create(username=name, ip_address="10.0.0.1", attempt_time=make.ago())

    erase()

    assert list(AccessLog.objects.values_list("username", flat=True)) == ["bob"]


def test_asking_twice_for_the_same_person_is_one_erasure():
    grace()
    first = requests.store(people.find(NAME))

    assert requests.store(people.find(MAIL)) == first


def test_the_task_carries_out_all_that_are_open():
    grace()
    make.user(username="another", email="another@example.com")
    for name in (NAME, "another"):
        requests.store(people.find(name))

    run = purge("erasures")

    assert (run.status, run.result) == ("succeeded", {"finished_erasures": 2, "stopped_erasures": 0}), (
        run.error
    )
    assert not User.objects.exists()
    assert control.request("erasures", send=lambda run: None)
