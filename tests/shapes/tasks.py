"""A task for each policy of the shapes, and what every purge of one must keep to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from housekeeping.declared import generic, registry
from housekeeping.engine import cascade
from housekeeping.engine.purge import due
from housekeeping.models import Hold, Run
from housekeeping.runs import control
from tests.shapes import worlds
from tests.shapes.worlds import AS_OF, MONTH
from tests.zoo.tasks import carry_out

POLICIES = {policy.name: policy for policy in worlds.POLICIES}


@contextmanager
def declared() -> Iterator[None]:
    for policy in worlds.POLICIES:
        registry.task(policy=policy)(_task_of(policy))
    try:
        yield
    finally:
        for policy in worlds.POLICIES:
            del registry.TASKS[policy.name]


@contextmanager
def generic_as_before() -> Iterator[None]:
    """What is declared with generic_rows in it is forgotten afterwards."""
    registry.discover()  # or what it finds later would be forgotten
    before = list(generic._declared)
    try:
        yield
    finally:
        generic._declared[:] = before


def _task_of(policy: Any) -> Any:
    return lambda purge: {"gone": purge(policy)}


def run_of(task: str, **options: Any) -> Run:
    run = control.request(task, send=lambda run: None, **options)
    Run.objects.filter(pk=run.pk).update(as_of=AS_OF)
    return run


def purge(task: str, **options: Any) -> Run:
    run = carry_out(run_of(task), **options)
    assert run.status == "succeeded", run.error
    return run


def undo(run: Run, *, intact_only: bool = False, **options: Any) -> Run:
    undone = carry_out(control.undo(run, send=lambda run: None, intact_only=intact_only), **options)
    assert undone.status == "succeeded", undone.error
    return undone


def check(task: str, *, undo_batch_size: int | None = None, **options: Any) -> Run:
    """A purge leaves what Django would leave, deletes what its preview named, and can be undone."""
    policy = POLICIES[task]
    assert cascade.problems(policy.model) == []
    before = worlds.everything()
    left, refused = worlds.as_django_would(policy, AS_OF - MONTH)
    expired = set(policy.rows(AS_OF - MONTH).values_list("pk", flat=True))
    assert expired - set(due(policy, cutoff=AS_OF - MONTH).values_list("pk", flat=True)) == refused
    dry = carry_out(run_of(task, dry_run=True))
    assert worlds.everything() == before

    run = purge(task, **options)

    assert worlds.everything() == left
    assert run.result == dry.result == {"gone": len(expired - refused)}
    planned = {table: rows for table, rows in dry.plan[task]["tables"].items() if rows}
    assert planned == run.receipt.get(task, {}).get("rows", {})
    assert sum(planned.values()) == len(before) - len(left)
    if before != left:
        assert undo(run, batch_size=undo_batch_size).result["not_restored"] == {}
    assert worlds.everything() == before
    Hold.objects.all().delete()
    return run
