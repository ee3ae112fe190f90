"""``on_deleted``: each batch's keys, after its commit, and again after a crash or an error."""

import random
from dataclasses import replace

import pytest
from django.db import connection
from django.utils import timezone

from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.engine.effects import hooks
from housekeeping.engine.purge import preview, purge
from housekeeping.exceptions import HookFailed
from housekeeping.models import OpenCall, Run
from housekeeping.runs import control
from tests import make
from tests.engine.test_promises import statements_of, survive
from tests.make import ADA, days
from tests.zoo import worlds
from tests.zoo.models import Entry, Park
from tests.zoo.tasks import carry_out, task_of

pytestmark = pytest.mark.django_db(transaction=True)


class Calls:
    """What on_deleted was called with. ``fails``: how many of the next calls raise an error."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.batches, self.fails = [], 0

    def __call__(self, keys):
        assert not connection.in_atomic_block
        if self.fails:
            self.fails -= 1
            raise ValueError("the search index is away")
        self.batches.append(keys)

    @property
    def keys(self):
        return {key for batch in self.batches for key in batch}


calls = Calls()
POLICY = Policy(
    "entries",
    rows=lambda cutoff: Entry.objects.filter(written_at__lt=cutoff),
    retention=days(30),
    age="written_at",
    on_deleted=lambda keys: calls(keys),
)


@pytest.fixture(autouse=True)
def _declared(add_task, settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    calls.clear()
    add_task("entries", lambda purge: {"deleted": purge(POLICY)}, policy=POLICY)


def entries(number):
    rows = (Entry(written_at=make.ago(days=40 + one)) for one in range(number))
    return [one.pk for one in Entry.objects.bulk_create(rows)][::-1]


def request(**options):
    return control.request("entries", send=lambda run: None, by=ADA, **options)


def test_it_is_called_with_the_keys_of_each_batch_oldest_first():
    oldest, older, old = entries(3)

    run = carry_out(request(), batch_size=2)

    assert (run.status, list(map(sorted, calls.batches))) == ("succeeded", [sorted([oldest, older]), [old]])
    assert not OpenCall.objects.exists()


def test_keys_are_as_python_has_them():
    park = Park.objects.create(opened_at=make.ago(days=40))
    of_parks = Policy("parks", lambda cutoff: Park.objects.all(), on_deleted=lambda keys: calls(keys))

    assert purge(of_parks) == 1
    assert calls.batches == [[park.pk]]


def test_a_preview_and_a_dry_run_call_nothing():
    entries(2)

    assert preview(POLICY) == 2
    assert carry_out(request(dry_run=True)).result == {"deleted": 2}
    assert calls.batches == []


def test_an_error_is_the_run_s_failure_and_the_next_run_calls_again():
    keys = entries(3)
    calls.fails = 1

    failed = carry_out(request(), batch_size=2)

    assert failed.status == "failed"
    assert "on_deleted of the policy 'entries' failed for 2 deleted rows" in failed.error
    assert "ValueError: the search index is away" in failed.error
    assert (failed.deleted, Entry.objects.count()) == ({"entries": 2}, 1)
    again = carry_out(request())
    assert (again.status, again.result) == ("succeeded", {"deleted": 1}), again.error
    assert [len(batch) for batch in calls.batches] == [2, 1]
    assert calls.keys == set(keys)


def test_while_it_fails_nothing_more_is_deleted():
    entries(3)
    calls.fails = 2
    carry_out(request(), batch_size=1)

    again = carry_out(request(), batch_size=1)

    assert (again.status, again.deleted, Entry.objects.count()) == ("failed", {}, 2)


def test_a_policy_that_has_lost_it_keeps_the_call_and_each_run_tells_so():
    entries(1)
    calls.fails = 1
    carry_out(request())
    entries(2)
    quiet, loud = replace(POLICY, on_deleted=None), registry.TASKS["entries"]

    registry.TASKS["entries"] = replace(loud, policies=(quiet,), function=task_of(quiet))
    run = carry_out(request(), batch_size=1)
    registry.TASKS["entries"] = loud

    assert run.status == "succeeded", run.error
    told = [line.text for line in run.log_lines.filter(level="WARNING")]
    [told] = [text for text in told if "on_deleted" in text]
    assert "nobody makes, as the policy entries no longer has one: 1." in told
    assert (carry_out(request()).status, len(calls.keys)) == ("succeeded", 1)


def test_in_a_shell_too_it_is_called_again():
    entries(1)
    calls.fails = 1

    with pytest.raises(HookFailed, match="the search index is away"):
        purge(POLICY)

    assert (purge(POLICY), len(calls.keys)) == (0, 1)


def test_the_calls_of_another_run_at_work_are_left_to_it():
    other = make.run("other", status="running", lease_until=timezone.now() + days(1))
    hooks.store(POLICY, [7], run=other.pk)
    hooks.make(POLICY)
    assert calls.batches == []

    Run.objects.filter(pk=other.pk).update(status="failed")
    hooks.make(POLICY)
    assert calls.batches == [[7]]


def test_an_undo_calls_nothing():
    entries(1)
    run = carry_out(request())
    calls.clear()

    undone = carry_out(control.undo(run, send=lambda run: None))

    assert (undone.status, calls.batches) == ("succeeded", [])


# --- Killed -----------------------------------------------------------------------------------


def statements():
    worlds.empty()
    entries(5)
    return statements_of(lambda: carry_out(request(), batch_size=2))


def killed_before(number):
    worlds.empty()
    calls.clear()
    keys = entries(5)

    run = survive(request(), [number], batch_size=2)

    assert (run.status, run.deleted) == ("succeeded", {"entries": 5}), (number, run.error)
    assert calls.keys == set(keys), number
    assert not OpenCall.objects.exists(), number


def test_a_kill_at_any_statement_loses_no_call():
    for number in random.Random(f"{timezone.now():%F}").sample(range(statements()), 5):
        killed_before(number)
