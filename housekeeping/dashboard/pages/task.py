"""The page of a task."""

from datetime import datetime

from housekeeping.dashboard import polls
from housekeeping.dashboard.pages.overview import TaskRow
from housekeeping.dashboard.parts.offers import Offer, Offers
from housekeeping.declared.registry import TASKS
from housekeeping.models import Act, Run
from housekeeping.reading import overview, policies, tasks
from housekeeping.rights import Rights

_SEEN = ("pk", "status", "attempts", "cancel_requested", "finished_at")
MOST_SEEN = 20  # the runs that the page lists, and those that may have been requested before them


def is_busy(row: TaskRow) -> bool:
    """Does its active run wait for a worker, or for its end?"""
    return bool(row.latest and row.latest.is_active and row.latest.status != Run.Status.HELD)


def fingerprint(name: str, now: datetime) -> str:
    """Changes with what the parts of the page show that refresh themselves. Two queries of few rows."""
    runs = list(Run.objects.filter(task=name).newest_first().values_list(*_SEEN)[:MOST_SEEN])
    act = Act.objects.order_by("-pk").values_list("pk", flat=True).first()
    is_running = any(run[1] == Run.Status.RUNNING for run in runs)
    return polls.fingerprint(runs, act, int(now.timestamp()) // (2 if is_running else 300))


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
