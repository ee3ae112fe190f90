"""A task for each policy of the zoo, and runs of it as of a fixed moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.models import Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests.zoo.models import Animal, House, Keeper, Meal, OldPark, Park, Photo
from tests.zoo.worlds import AS_OF

MONTH = timedelta(days=30)

POLICIES = [
    Policy("parks", lambda cutoff: Park.objects.filter(opened_at__lt=cutoff), MONTH, "opened_at"),
    Policy("proxies", lambda cutoff: OldPark.objects.filter(opened_at__lt=cutoff), MONTH, "opened_at"),
    Policy("animals", lambda cutoff: Animal.objects.filter(seen_at__lt=cutoff), MONTH, "seen_at"),
    Policy("keepers", lambda cutoff: Keeper.objects.filter(hired_at__lt=cutoff), MONTH, "hired_at"),
    Policy("houses", lambda cutoff: House.objects.filter(park__opened_at__lt=cutoff), MONTH, "code"),
    Policy("meals", lambda cutoff: Meal.objects.filter(animal__seen_at__lt=cutoff), MONTH),
]

# Not declared with the others, so that their purges keep the files.
PHOTOS = Policy(
    "photos", lambda cutoff: Photo.objects.filter(taken_at__lt=cutoff), MONTH, "taken_at", deletes_files=True
)


@contextmanager
def declared() -> Iterator[None]:
    """Declare a task for each policy of the zoo meanwhile, under its name."""
    for policy in POLICIES:
        registry.task(policy=policy)(task_of(policy))
    try:
        yield
    finally:
        for policy in POLICIES:
            del registry.TASKS[policy.name]


def task_of(policy: Policy) -> registry.TaskFunction:
    def delete(purge: Any) -> dict[str, int]:
        return {f"deleted_{policy.name}": purge(policy)}

    return delete


def request(task: str, **options: Any) -> Run:
    run = control.request(task, send=lambda run: None, **options)
    Run.objects.filter(pk=run.pk).update(as_of=AS_OF)
    return run


def carry_out(run: Run, **options: Any) -> Run:
    claimed = execution.claim(run.pk, run.attempts)
    assert claimed, f"{run} can't be claimed"
    return execution.execute(claimed, **options)


def purge(task: str, **options: Any) -> Run:
    return carry_out(request(task), **options)


def undo(run: Run, **options: Any) -> Run:
    return carry_out(control.undo(run, send=lambda run: None), **options)
