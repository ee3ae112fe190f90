"""An incident is told once, again each day, and when it is over, to the channels that take it."""

import threading
from dataclasses import replace

import pytest
from django.core import mail
from django.db import connection, transaction

from housekeeping.journal import channels, outbox
from housekeeping.journal.alerting import incidents, messages
from housekeeping.journal.alerting.incidents import Condition, Kind
from housekeeping.models import Channel, Delivery, Incident
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

GROWS = Condition(Kind.BACKLOG, "users", "12 rows are past due, 4 more than yesterday.", "users")
FAILED = Condition(Kind.FAILED, "users", "OSError: the disk is full", "users")


@pytest.fixture(autouse=True)
def consumer():
    make.administrator(email="ada@example.com")
    yield make.consumer()
    outbox.settle()


@pytest.fixture
def pager():
    return make.channel("pager", address="https://pager.example.com/in")


def settle(found, kind=Kind.BACKLOG, **options):
    incidents.settle(list(Incident.objects.open().filter(kind=kind)), found, **options)


def events():
    return [one.payload["body"]["type"] for one in Delivery.objects.filter(channel="pager").order_by("pk")]


def a_day_later():
    Incident.objects.update(told_at=make.ago(days=1, seconds=1))


def test_it_is_told_once_reminded_of_each_day_and_told_when_it_is_over(pager):
    for _ in range(3):
        settle([GROWS])
    assert events() == ["incident.opened"]

    a_day_later()
    settle([GROWS])
    settle([GROWS])
    assert events()[1:] == ["incident.reminder"]

    settle([])
    settle([])
    assert events()[2:] == ["incident.closed"]
    assert (Incident.objects.get().told, Incident.objects.open().count()) == (3, 0)


def test_what_comes_again_is_another_incident(pager):
    settle([GROWS])
    settle([])
    settle([GROWS])

    assert events() == ["incident.opened", "incident.closed", "incident.opened"]
    assert Incident.objects.count() == 2


def test_a_look_at_some_kinds_leaves_the_others_as_they_are(pager):
    settle([GROWS])

    settle([], Kind.CONSUMER)

    assert Incident.objects.open().count() == 1


def test_what_nobody_can_judge_stays_as_it_is(pager):
    settle([FAILED], Kind.FAILED)

    settle([], Kind.FAILED, unsure={("failed", "users")})

    assert Incident.objects.open().count() == 1


def test_what_somebody_knows_of_is_not_reminded_of(pager):
    settle([GROWS])
    a_day_later()

    known = Condition(GROWS.kind, GROWS.target, GROWS.text, GROWS.task, is_known=True)
    settle([known])

    assert events() == ["incident.opened"]


def test_of_many_who_notice_it_at_the_same_moment_one_tells_it_and_one_ends_it(pager):
    def at_once(act):
        barrier = threading.Barrier(4)

        def one():
            barrier.wait()
            act()
            connection.close()

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    at_once(lambda: settle([GROWS]))
    assert events() == ["incident.opened"]
    a_day_later()
    at_once(lambda: settle([GROWS]))
    assert events()[1:] == ["incident.reminder"]
    at_once(lambda: settle([]))
    assert events()[2:] == ["incident.closed"]


def test_an_incident_that_is_rolled_back_is_not_told(pager):
    with transaction.atomic():
        incidents.begin(GROWS)
        transaction.set_rollback(True)

    assert (events(), Incident.objects.count()) == ([], 0)


def test_a_webhook_names_what_where_and_since_when(pager, settings):
    incidents.begin(FAILED)

    [delivery] = Delivery.objects.filter(channel="pager")
    body = delivery.payload["body"]
    assert delivery.payload["id"].startswith("msg_")
    assert body["data"] | {"opened_at": "", "incident": 0} == {
        "incident": 0, "kind": "failed", "target": "users", "task": "users", "run": None,
        "title": "users failed", "text": "OSError: the disk is full", "opened_at": "", "closed_at": None,
        "url": "http://testserver/scheduler-admin/", "site": "http://testserver",
    }  # fmt: skip
    assert delivery.address.startswith("https://pager.example.com/… (")


def test_slack_s_own_marks_are_only_text(pager):
    Channel.objects.update(kind="slack")

    incidents.begin(Condition(Kind.FAILED, "<!channel>", "a & b", "users"))

    [delivery] = Delivery.objects.filter(channel="pager")
    assert delivery.payload["text"].startswith("*Housekeeping: &lt;!channel&gt; failed*\na &amp; b\n")


# --- Who is told of what --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "tasks", "is_told"),
    [
        ([], [], True),
        (["backlog", "failed"], [], True),
        (["failed"], [], False),
        ([], ["users"], True),
        ([], ["stats"], False),
        (["backlog"], ["users", "stats"], True),
    ],
)
def test_a_channel_takes_its_kinds_and_its_tasks(pager, kinds, tasks, is_told):
    Channel.objects.update(kinds=kinds, tasks=tasks)

    incidents.begin(GROWS)

    assert bool(events()) == is_told


def test_a_channel_of_some_tasks_is_not_told_of_what_concerns_none(pager):
    Channel.objects.update(tasks=["users"])

    incidents.begin(Condition(Kind.CONSUMER, "", "The last one is silent."))

    assert events() == []


def test_a_channel_that_is_off_takes_nothing(pager):
    Channel.objects.update(is_on=False)

    incidents.begin(GROWS)

    assert events() == []


def test_without_configuration_operators_get_mails_about_runs_alone():
    incidents.begin(GROWS)
    incidents.begin(FAILED)
    a_day_later()
    settle([FAILED], Kind.FAILED)

    outbox.deliver()

    [message] = mail.outbox
    assert (message.subject, message.to) == ("Housekeeping: users failed", ["ada@example.com"])
    assert "No further mail is sent until it has succeeded again." in message.body


def test_operators_can_be_told_of_everything_and_be_reminded():
    operators = channels.of_operators()
    operators.kinds, operators.is_reminded = [], True
    operators.save(force_insert=True)
    settle([GROWS])
    a_day_later()
    settle([GROWS])

    outbox.deliver()

    first, reminder = mail.outbox
    assert (first.subject, reminder.subject) == (
        "Housekeeping: the backlog of users grows", "Housekeeping: the backlog of users grows (still)",
    )  # fmt: skip
    assert "4 more than yesterday" in first.body
    assert reminder.body.startswith("Since ")


def test_a_mail_about_a_run_that_is_no_longer_held_is_not_sent_but_a_program_is_told(pager):
    incidents.begin(Condition(Kind.HELD, "users", "60 of 100 rows would go.", "users"))
    incidents.end(Kind.HELD, "users")

    assert events() == ["incident.opened", "incident.closed"]
    assert Delivery.objects.filter(channel="operators").count() == 1


def test_every_kind_has_its_words():
    for kind in Kind:
        incident = Incident(kind=kind, target="x", text="Text", opened_at=make.ago())
        assert messages.title(incident) != messages.title(incident, is_over=True)
        assert kind in messages.ADVICE


def test_what_was_opened_after_the_look_began_is_not_over(pager):
    before = list(Incident.objects.open())
    incidents.begin(FAILED)

    incidents.settle(before, [])

    assert (events(), Incident.objects.open().count()) == (["incident.opened"], 1)


def test_what_failed_once_more_since_it_was_read_is_not_over(pager):
    incidents.begin(FAILED)
    before = list(Incident.objects.open())
    incidents.begin(replace(FAILED, run=make.run("users", status="failed").pk))

    incidents.settle(before, [])

    assert Incident.objects.open().count() == 1
