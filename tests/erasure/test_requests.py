"""How an erasure begins, also where the queue fails."""

import pytest

from housekeeping.dashboard import act_lines
from housekeeping.erasure import people, requests, work
from housekeeping.exceptions import QueueUnreachable
from housekeeping.models import Act, Erasure, Run
from housekeeping.queue import tasks as queue
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
