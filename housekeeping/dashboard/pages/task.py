"""The page of a task."""

from datetime import datetime

from housekeeping.dashboard.pages.overview import TaskRow
from housekeeping.declared.registry import TASKS
from housekeeping.reading import newest, overview, policies


def read(name: str, now: datetime) -> TaskRow:
    """A declared task, as its row on the overview without the strip. Raises KeyError."""
    task = TASKS[name]
    [latest] = newest.find((newest.OF_TASK, [name]))
    runs = newest.with_consumer().active().due(now).filter(task=name)
    active = runs.newest_first().first()
    schedules = overview.scheduler_status(now).schedules
    return TaskRow(
        task,
        active or latest.get(name),
        [card for card in schedules if card.schedule.task.name == name],
        [policies.card(policy.name) for policy in task.policies if not policy.is_upkeep],
        strip="",
    )
