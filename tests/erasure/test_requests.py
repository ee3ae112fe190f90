"""How an erasure begins, also where the queue fails."""

import pytest
from huey.contrib.djhuey import HUEY

from housekeeping.dashboard import act_lines
from housekeeping.erasure import people, requests, work
from housekeeping.exceptions import QueueUnreachable
from housekeeping.models import Act, Erasure, Run
from housekeeping.queue import tasks as queue
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.erasure.people import NAME, grace

pytestmark = pytest.mark.django_db(transaction=True)


def unsent():
    """A request whose message can't be sent."""
    with pytest.raises(QueueUnreachable):
        requests.request(people.find(NAME), send=queue.send, by=make.ADA)


def test_without_a_queue_the_act_tells_that_nothing_was_requested(unreachable_queue):
    grace()

    unsent()

    assert not Erasure.objects.exists()
    act = Act.objects.get(what="erase")
    assert "can't be reached" in act.details["failed"]
    [line] = act_lines.lines([act])
    assert (line.address, [fact.name for fact in line.facts]) == ("", ["failed"])


def test_an_outage_leaves_alone_what_was_requested_before(unreachable_queue):
    grace()
    accepted = requests.store(people.find(NAME), by=make.ADA)

    unsent()

    assert Erasure.objects.get() == accepted
    assert "failed" not in Act.objects.get(what="erase").details
    assert work.carry_out(accepted).state == "finished"


def test_a_request_that_others_rely_on_meanwhile_stays():
    """Its own message is not sent, but another request of the same erasure has been accepted by then."""
    grace()

    def send(run):
        Run.objects.filter(pk=run.pk).update(status="cancelled", finished_at=make.ago())
        requests.request(people.find(NAME), send=lambda run: None, by=make.ADA)
        raise QueueUnreachable("no")

    erasure = requests.request(people.find(NAME), send=send, by=make.ADA)

    assert Erasure.objects.get() == erasure
    assert Run.objects.in_the_way(requests.TASK, dry_run=False)


def carry_out(**options):
    waiting = Run.objects.get(task=requests.TASK, status="queued")
    return execution.execute(execution.claim(waiting.pk, waiting.attempts), **options)


def late(run, result):
    """A request that comes after the run has looked for the last time, and before its end."""
    make.user(username="late")
    requests.request(people.find("late"), send=queue.send)


def test_a_request_at_the_end_of_a_run_gets_a_run_of_its_own():
    grace()
    requests.request(people.find(NAME), send=queue.send)

    carry_out(publish=late)

    assert HUEY.storage.queue_size() == 2
    assert carry_out().result["finished_erasures"] == 1
    assert not Erasure.objects.open().exists()
    assert not Run.objects.active().exists()


def test_one_that_can_t_begin_is_not_tried_for_ever():
    grace()
    requests.request(people.find(NAME), send=queue.send)

    def damaged(run, result):
        late(run, result)
        Erasure.objects.open().update(person={})

    carry_out(publish=damaged)

    assert carry_out().status == "failed"
    assert not Run.objects.active().exists()


def test_after_a_cancelled_run_a_late_request_waits_for_the_night():
    grace()
    requests.request(people.find(NAME), send=queue.send)
    requests.request(people.find(NAME), send=queue.send)

    control.cancel(Run.objects.get(task=requests.TASK), by=make.ADA)

    assert Erasure.objects.open().exists()
    assert not Run.objects.active().exists()
