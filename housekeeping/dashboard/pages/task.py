"""The page of a task."""

from datetime import datetime

from housekeeping.dashboard.pages.overview import TaskRow
from housekeeping.declared.registry import TASKS
from housekeeping.reading import overview, policies, tasks


def read(name: str, now: datetime) -> TaskRow:
    """A declared task, as its row on the overview without the strip. Raises KeyError."""
    task, card = TASKS[name], tasks.card(name)
    schedules = overview.scheduler_status(now).schedules
    return TaskRow(
        task,
        card.latest,
        [card for card in schedules if card.schedule.task.name == name],
        [policies.card(policy.name) for policy in task.policies if not policy.is_upkeep],
        strip="",
        card=card,
    )
