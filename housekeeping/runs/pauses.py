"""Paused tasks: no schedule, catch-up or automatic retry starts them. A person still may."""

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared import registry
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import REASON_LENGTH, TaskState
from housekeeping.models.text import one_line

PAUSED_BEFORE_RETRY = "Its task was paused before this retry was due."


def states() -> dict[str, TaskState]:
    """What operators have changed about declared tasks, by name."""
    return {state.name: state for state in TaskState.objects.all() if state.name in registry.TASKS}


def paused() -> dict[str, TaskState]:
    """The paused tasks among the declared ones, by name."""
    return {name: state for name, state in states().items() if state.is_paused}


def is_paused(task: str) -> bool:
    return TaskState.objects.filter(name=task, is_paused=True).exists()


def change(task: str, *, is_paused: bool, reason: str = "", by: Actor | None = None) -> bool:
    """Pause or resume the task, and record who did it. False if nothing changes. Raises UnknownTask.

    Pausing a paused task gives the pause another reason.
    """
    registry.find_task(task)
    fields = {"is_paused": is_paused, "reason": one_line(reason, REASON_LENGTH)}
    with writing():
        state, _ = TaskState.objects.get_or_create(name=task, defaults={"changed_at": clock.now()})
        before = {name: getattr(state, name) for name in fields}
        changed = TaskState.objects.filter(name=task).exclude(**fields)
        if not changed.update(**fields, changed_at=clock.now(), changed_by=by.name if by else ""):
            return False
        acts.record(by, "pause task" if is_paused else "resume task", task, before=before, after=fields)
    return True
