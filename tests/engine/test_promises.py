"""What a purge and its undo promise, on random databases of the zoo and of the chat.

The databases, and what must become of each row of them, come from tests/zoo/worlds.py.
TRIES=80 in the environment tries ten times as many as `make prove`.
"""

import math
import os
import random
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from housekeeping.declared import registry
from housekeeping.models import Archive, Hold, Run
from housekeeping.runs import control, recovery
from tests.zoo import tasks, worlds
from tests.zoo.tasks import carry_out, request, undo
from tests.zoo.worlds import AS_OF

pytestmark = pytest.mark.django_db(transaction=True)


def tries(number):
    """So many examples in `make prove`, which sets TRIES=8, and an eighth of them in `make test`."""
    return examples(
        max_examples=max(number * int(os.environ.get("TRIES", "1")) // 8, 2),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(autouse=True)
def _tasks(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with tasks.declared():
        yield


def fate(task, rows):
    """What must be left of ``rows`` after the task, and how many each policy deletes."""
    counts = {}
    for policy in registry.find_task(task).policies:
        # Of what a policy calls expired, the one before it may have deleted some.
        expired = [row for row in worlds.roots(policy, policy.cutoff(AS_OF)) if row in rows]
        rows, going = worlds.purged(rows, expired)
        if going:
            counts[policy.name] = len(going)
    return rows, counts


def counted(run):
    return {name: number for name, number in run.deleted.items() if number}


def removed(run):
    """Rows gone by the run's receipt, those of the cascade, too."""
    return sum(sum(policy["rows"].values()) for policy in run.receipt.values())


class Killed(BaseException):
    """Not even caught where everything is: the process is gone."""


@contextmanager
def killed_at(number):
    """As kill -9 before the statement of this number: what is open is rolled back, nothing follows.

    Gives a list whose length is the number of statements.
    """
    statements = []

    def count(execute, sql, params, many, context):
        statements.append(sql)
        if len(statements) > number:
            raise Killed
        return execute(sql, params, many, context)

    def after_commit():
        statements.append("the other database has committed")
        if len(statements) > number:
            raise Killed

    def count_apart(execute, sql, params, many, context):
        other = context["connection"]
        if other.in_atomic_block and all(call is not after_commit for _, call, _ in other.run_on_commit):
            other.on_commit(after_commit)
        return count(execute, sql, params, many, context)

    opened = [connection, *(one for one in connections.all() if one.alias != DEFAULT_DB_ALIAS)]
    try:
        with ExitStack() as stack:
            for one in opened:
                stack.enter_context(one.execute_wrapper(count if one is connection else count_apart))
            yield statements
    except Killed:
        connection.close()  # not the other: in a test it can't be opened again; it was rolled back


def survive(run, kills, **options):
    """Carry out a run whose consumer is killed before these statements, one attempt after the other."""
    for number in kills:
        with killed_at(number):
            carry_out(run, **options)
        now = timezone.now()
        Run.objects.filter(pk=run.pk).update(lease_until=now - timedelta(seconds=1))
        recovery.recover(now, send=lambda run: None)
        run.refresh_from_db()
        if run.status != "queued":
            return run
    return carry_out(run, **options)


def statements_of(work):
    """How many statements ``work`` takes, where nobody kills it."""
    with killed_at(math.inf) as statements:
        work()
    return len(statements)


kills = st.lists(st.sampled_from(range(70)), max_size=2)
batches = st.integers(1, 3)
undo_batches = st.none() | st.integers(1, 3)  # rows: a batch of the purge is cut into parts


@tries(30)
@given(worlds.worlds(), batches)
def test_what_is_expired_goes_and_nothing_else_changes(world, batch_size):
    world.create()
    left, counts = fate(world.task, worlds.everything())

    run = carry_out(request(world.task), batch_size=batch_size)

    assert run.status == "succeeded", run.error
    assert worlds.everything() == left
    assert counted(run) == counts


@tries(15)
@given(worlds.worlds().filter(lambda world: world.task != "all"))
def test_a_preview_is_what_a_purge_deletes_and_changes_nothing(world):
    world.create()
    before = worlds.everything()

    preview = carry_out(request(world.task, dry_run=True))

    assert worlds.everything() == before
    run = carry_out(request(world.task))
    assert (preview.status, preview.result) == ("succeeded", run.result)


@tries(30)
@given(worlds.worlds(), batches, undo_batches)
def test_undone_is_the_same_database_row_for_row(world, batch_size, undo_batch_size):
    world.create()
    before = worlds.everything()

    run = carry_out(request(world.task), batch_size=batch_size)
    gone = len(before) - len(worlds.everything())
    assert removed(run) == gone

    if Archive.objects.exists():
        undone = undo(run, batch_size=undo_batch_size)
        assert (undone.status, undone.result["not_restored"]) == ("succeeded", {}), undone.error
    assert worlds.everything() == before
    assert not Archive.objects.exists()


@tries(20)
@given(worlds.worlds(), batches, kills)
def test_killed_at_any_statement_and_resumed_ends_the_same(world, batch_size, kills):
    world.create()
    before = worlds.everything()
    left, counts = fate(world.task, before)

    run = survive(request(world.task), kills, batch_size=batch_size)

    assert run.status == "succeeded", run.error
    assert worlds.everything() == left
    assert (counted(run), removed(run)) == (counts, len(before) - len(left))
    if Archive.objects.exists():
        undo(run)
    assert worlds.everything() == before


@tries(20)
@given(worlds.worlds(), kills, batches, undo_batches)
def test_an_undo_killed_at_any_statement_and_resumed_ends_the_same(world, kills, size, undo_size):
    world.create()
    before = worlds.everything()
    run = carry_out(request(world.task), batch_size=size)
    if not Archive.objects.exists():
        return
    kept = sum(Archive.objects.values_list("rows", flat=True))

    undone = survive(control.undo(run, send=lambda run: None), kills, batch_size=undo_size)

    assert undone.status == "succeeded", undone.error
    assert worlds.everything() == before
    assert sum(undone.result["restored"].values()) == undone.deleted["restored"] == kept


def test_a_kill_at_any_statement_of_a_full_purge_ends_the_same():
    for number in sample(statements_of_a_purge()):
        purge_killed_before(number)


def test_a_kill_at_any_statement_of_a_full_undo_ends_the_same():
    for number in sample(statements_of_an_undo()):
        undo_killed_before(number)


def sample(statements):
    """A few of them, others each day; tests/prove/test_kills.py tries each."""
    return random.Random(f"{timezone.now():%F}").sample(range(statements), 4)


def statements_of_a_purge():
    worlds.full().create()
    whole = request(worlds.full().task)
    return statements_of(lambda: carry_out(whole, batch_size=1))


def purge_killed_before(number):
    world = worlds.full()
    world.create()
    before = worlds.everything()
    left, counts = fate(world.task, before)

    run = survive(request(world.task), [number], batch_size=1)

    assert run.status == "succeeded", (number, run.error)
    assert worlds.everything() == left, number
    assert (counted(run), removed(run)) == (counts, len(before) - len(left)), number


def statements_of_an_undo():
    worlds.full().create()
    whole = carry_out(request(worlds.full().task), batch_size=9)
    return statements_of(lambda: undo(whole))


def undo_killed_before(number):
    world = worlds.full()
    world.create()
    before = worlds.everything()
    run = carry_out(request(world.task), batch_size=9)
    kept = sum(Archive.objects.values_list("rows", flat=True))

    undone = survive(control.undo(run, send=lambda run: None), [number])

    assert undone.status == "succeeded", (number, undone.error)
    assert worlds.everything() == before, number
    assert sum(undone.result["restored"].values()) == undone.deleted["restored"] == kept, number


@tries(10)
@given(worlds.worlds(least_holds=1), kills)
def test_a_held_row_survives_everything(world, kills):
    world.create()
    rows = worlds.everything()
    held = worlds.held(rows)

    first = survive(request(world.task), kills)
    second = carry_out(request(world.task))
    assert held <= worlds.everything().keys()

    for run in (second, first):
        if run.archives.exists():
            undo(run)
    carry_out(request(world.task))
    assert held <= worlds.everything().keys()


@tries(6)
@given(worlds.worlds())
def test_what_came_back_is_spared_until_its_hold_ends(world):
    world.create()
    before = worlds.everything()
    run = carry_out(request(world.task))
    if not run.archives.exists():
        return
    undo(run)

    again = carry_out(request(world.task))

    assert (again.status, counted(again)) == ("succeeded", {})
    assert worlds.everything() == before
    Hold.objects.filter(undo__isnull=False).update(until=timezone.now())
    assert counted(carry_out(request(world.task))) == counted(run)
