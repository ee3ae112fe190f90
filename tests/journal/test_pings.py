"""Pings to a small server that speaks the protocol of Healthchecks."""

import threading
import time

import pytest
from django.db import connection

from housekeeping.declared import registry
from housekeeping.declared.triggers import Cron
from housekeeping.journal import outbox
from housekeeping.models import Delivery, Run
from housekeeping.runs import control, endings
from housekeeping.runs.work import execution
from tests import make, receivers

pytestmark = pytest.mark.django_db(transaction=True)

CHECK = "/5d9f1a"


class Watcher:
    """What Healthchecks makes of pings: is the check up, down or started, and how long did a run take?"""

    def __init__(self, server):
        self.server, self.url = server, f"{server.url}{CHECK}"

    @property
    def signals(self):
        return [request.path.removeprefix(CHECK).removeprefix("/") for request in self.server.received]

    @property
    def state(self):
        state = "new"
        for signal in self.signals:
            state = {"start": "started", "": "up", "fail": "down", "log": state}[signal]
        return state

    @property
    def rids(self):
        return [request.query["rid"] for request in self.server.received]


@pytest.fixture(autouse=True)
def consumer():
    yield make.consumer()
    outbox.settle()


@pytest.fixture
def watcher():
    with receivers.receiver() as server:
        yield Watcher(server)


@pytest.fixture
def dishes(watcher):
    """A schedule with a watcher. Its task raises what is in the list, and succeeds while it is empty."""
    nightly = registry.scheduled("nightly_dishes", "Dishes", Cron(hour=2), ping=watcher.url)
    with make.dishes() as errors:
        nightly(registry.TASKS["dishes"].function)
        yield errors
        del registry.SCHEDULES["nightly_dishes"]


def carry_out(**fields):
    run = make.run("dishes", **{"schedule": "nightly_dishes"} | fields)
    return execution.execute(execution.claim(run.pk, 0))


def deliver():
    while outbox.deliver():
        pass


def test_a_run_that_succeeds_starts_and_ends_there_with_its_log(dishes, watcher):
    run = carry_out()
    deliver()

    assert (watcher.signals, watcher.state) == (["start", ""], "up")
    assert watcher.rids == [[str(run.pk)]] * 2
    body = watcher.server.received[1].body.decode()
    assert body.startswith(f"dishes {run.pk} succeeded: " + '{"plates": 1}\n')
    assert "INFO Starting housekeeping task dishes" in body


def test_a_run_that_fails_is_down_there_with_its_reason(dishes, watcher):
    dishes.append(ValueError("no water\nDETAIL: Key (email)=(grace@example.com)"))
    carry_out()
    deliver()

    assert watcher.state == "down"
    body = watcher.server.received[1].body.decode()
    assert "failed: ValueError: no water" in body
    assert "grace" not in body.partition("\n")[0]

    dishes.clear()
    carry_out()
    deliver()

    assert watcher.state == "up"


def test_a_failure_that_is_tried_again_is_only_logged(dishes, watcher):
    task = registry.Task("dishes", registry.TASKS["dishes"].function, (), "", retries=1)
    registry.TASKS["dishes"] = task
    dishes.append(ValueError("no water"))
    carry_out()
    deliver()
    assert watcher.signals == ["start", "log"]

    retry = Run.objects.get(retry_number=1)
    Run.objects.update(not_before=make.ago(seconds=1))
    execution.execute(execution.claim(retry.pk, 0))
    deliver()

    assert (watcher.signals[2:], watcher.state) == (["start", "fail"], "down")


def test_other_runs_and_dry_runs_are_nothing_to_it(dishes, watcher):
    carry_out(dry_run=False, schedule="")
    endings.store(
        Run(task="dishes", schedule="nightly_dishes", cause="schedule", requested_at=make.ago()),
        Run.Status.MISSED, "Noticed late.",
    )  # fmt: skip
    make.run("stats", dry_run=True, schedule="nightly_dishes")
    deliver()

    assert watcher.signals == []


def test_the_whole_site_has_an_address_of_its_own(dishes, watcher, settings):
    settings.HOUSEKEEPING_PING_URL = f"{watcher.server.url}/site?create=1"

    run = carry_out()
    run_by_hand = carry_out(schedule="")
    deliver()

    of_site = [request for request in watcher.server.received if request.path.startswith("/site")]
    assert [request.path for request in of_site] == ["/site/start", "/site", "/site/start", "/site"]
    assert [request.query["rid"][0] for request in of_site[::2]] == [str(run.pk), str(run_by_hand.pk)]
    assert {request.query["create"][0] for request in of_site} == {"1"}
    assert watcher.signals.count("") == 1


def test_a_run_that_is_held_or_cancelled_is_logged(dishes, watcher, settings):
    run = make.run("dishes", schedule="nightly_dishes")
    control.cancel(run, by=make.ADA)
    deliver()

    assert watcher.signals == ["log"]


def test_a_run_waits_for_no_watcher_and_none_fails_because_of_one(dishes, watcher):
    watcher.server.delay = 1.0
    began = time.monotonic()

    assert carry_out().status == "succeeded"

    assert time.monotonic() - began < 0.9


def test_pings_arrive_in_their_order_even_if_one_is_late(dishes, watcher):
    watcher.server.status = 503
    carry_out()
    outbox.deliver()
    outbox.deliver()
    assert [request.path for request in watcher.server.refused] == [f"{CHECK}/start"]

    watcher.server.status = 200
    Delivery.objects.update(not_before=make.ago(seconds=1))
    deliver()

    assert watcher.signals == ["start", ""]


def test_several_senders_keep_the_order(dishes, watcher):
    for _ in range(5):
        carry_out()

    def send():
        deliver()
        connection.close()

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    deliver()

    assert watcher.signals == ["start", ""] * 5


def test_a_watcher_that_is_down_is_called_every_five_minutes_and_given_up_after_three_hours(dishes, watcher):
    watcher.server.status = 503
    carry_out()
    first = Delivery.objects.order_by("pk").first()
    Delivery.objects.filter(pk=first.pk).update(attempts=9)
    outbox.deliver()
    first.refresh_from_db()
    assert 290 < (first.not_before - make.ago()).total_seconds() <= 300

    Delivery.objects.update(created_at=make.ago(hours=3, seconds=1), not_before=None)
    outbox.deliver()

    first.refresh_from_db()
    assert (first.state, first.answer) == ("given_up", "503 Service Unavailable")


def test_a_check_that_the_watcher_does_not_know_is_given_up_at_once(dishes, watcher):
    watcher.server.status = 404
    carry_out()

    outbox.deliver()

    assert Delivery.objects.order_by("pk").first().answer == "404 Not Found"
    assert Delivery.objects.filter(failed_at__isnull=False).exists()


def test_an_address_that_is_no_longer_declared_gets_nothing(dishes, watcher):
    carry_out()
    del registry.SCHEDULES.known["nightly_dishes"]
    deliver()
    registry.SCHEDULES["nightly_dishes"] = None  # for the fixture

    assert watcher.signals == []
    assert set(Delivery.objects.values_list("answer", flat=True)) <= {"the address is no longer declared", ""}


def test_the_secret_part_of_an_address_is_on_no_row_and_in_no_log(dishes, watcher, caplog):
    watcher.server.status = 503
    carry_out()
    outbox.deliver()

    assert CHECK not in str(list(Delivery.objects.values())) + caplog.text


def test_a_long_log_is_cut_and_its_end_stays(dishes, watcher):
    run = make.run("dishes", schedule="nightly_dishes")
    run.log_lines.bulk_create(
        type(run.log_lines.model())(run=run, logged_at=make.ago(), level="INFO", text=f"line {number} ö" * 20)
        for number in range(300)
    )
    execution.execute(execution.claim(run.pk, 0))
    deliver()

    body = watcher.server.received[1].body
    assert len(body) <= 10_000
    assert b"line 299" in body
    assert b"line 0 " not in body


@pytest.mark.parametrize(
    "url", ["hc-ping.com/1", "ftp://hc-ping.com/1", "https://hc ping.com/", "https://h/#x"]
)
def test_what_is_no_address_is_refused_where_it_is_declared(url):
    with pytest.raises(ValueError, match="ping is not a URL"):
        registry.scheduled("dishes", "Dishes", Cron(hour=2), ping=url)


def test_a_schedule_that_a_person_starts_is_watched_too(dishes, watcher):
    run = control.request("dishes", send=lambda run: None, schedule="nightly_dishes", by=make.ADA)
    execution.execute(execution.claim(run.pk, 0))
    deliver()

    assert watcher.signals == ["start", ""]
