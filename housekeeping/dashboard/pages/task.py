"""The page of a task."""

from datetime import datetime

from housekeeping.dashboard.pages.offers import Offer, Offers
from housekeeping.dashboard.pages.overview import TaskRow
from housekeeping.declared.registry import TASKS
from housekeeping.reading import overview, policies, tasks
from housekeeping.rights import Rights


def offers(row: TaskRow, rights: Rights, now: datetime) -> dict[str, Offer]:
    """What can be done about the task's active run, by name, in the words of its own page."""
    run = row.latest
    if run is None or not run.is_active:
        return {}
    return {offer.name: offer for offer in Offers(run, row.task, rights, None, None, now).all()}


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
