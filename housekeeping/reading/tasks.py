"""Tasks as they are in force: declared, with their newest runs, and paused or not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from housekeeping.database import clock
from housekeeping.declared import registry
from housekeeping.declared.registry import SCHEDULES, TASKS, Task
from housekeeping.models import Run, TaskState
from housekeeping.reading.runs import newest
from housekeeping.runs import pauses


@dataclass(frozen=True)
class TaskCard:
    """A task, with its active run or else its newest one, and what operators have changed about it.

    ``ended``: the newest run that did its work or failed to, which the verdict goes by.
    """

    task: Task
    latest: Run | None
    ended: Run | None
    state: TaskState | None

    @property
    def has_failed(self) -> bool:
        return self.ended is not None and self.ended.status == Run.Status.FAILED

    @property
    def pause(self) -> TaskState | None:
        """Who paused it, when and why."""
        return self.state if self.state and self.state.is_paused else None

    @property
    def acknowledged(self) -> TaskState | None:
        """Who has acknowledged its failures, when, until when and why."""
        return self.state if self.state and self.state.is_acknowledged(clock.roughly()) else None

    @property
    def is_paused(self) -> bool:
        return self.pause is not None

    @property
    def is_acknowledged(self) -> bool:
        return self.acknowledged is not None

    @property
    def schedules(self) -> list[str]:
        """The ids of its schedules."""
        return [one.id for one in SCHEDULES.values() if one.task.name == self.task.name]

    @property
    def policies(self) -> list[str]:
        return [policy.name for policy in self.task.policies]


def cards() -> list[TaskCard]:
    """Every task, in the order declared."""
    latest, ended = newest.find((newest.OF_TASK, TASKS), (newest.ENDED, TASKS))
    return cards_of(latest | _active(newest.with_consumer().active()), ended, pauses.states())


def cards_of(
    latest: Mapping[str, Run], ended: Mapping[str, Run], states: Mapping[str, TaskState]
) -> list[TaskCard]:
    """As :func:`cards`, for a caller that has read the rows."""
    return [
        TaskCard(task, latest.get(name), ended.get(name), states.get(name)) for name, task in TASKS.items()
    ]


def card(name: str) -> TaskCard:
    """Raises UnknownTask."""
    task = registry.find_task(name)
    latest, ended = newest.find((newest.OF_TASK, [name]), (newest.ENDED, [name]))
    active = _active(newest.with_consumer().active().filter(task=name))
    return TaskCard(task, active.get(name) or latest.get(name), ended.get(name), pauses.states().get(name))


def _active(runs: Iterable[Run]) -> dict[str, Run]:
    due = [run for run in runs if not run.is_put_off]
    return {run.task: run for run in sorted(due, key=lambda run: run.requested_at)}
