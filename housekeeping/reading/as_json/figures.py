"""The overview as JSON: figures, verdict, timeline; and statistics, tallies, acts and consumers."""

from typing import Any

from housekeeping import models
from housekeeping.declared.registry import STATISTICS
from housekeeping.reading import overview, verdict
from housekeeping.reading.as_json.fields import (
    STORED,
    AnyObject,
    Day,
    Flag,
    Id,
    Many,
    Moment,
    Object,
    One,
    Stored,
    Text,
    Whole,
    itself,
)
from housekeeping.reading.as_json.runs import Run
from housekeeping.reading.as_json.schedules import STATUSES, NextRun

COUNTED = {name: Whole(STORED, help=one.label) for name, one in STATISTICS.items()}


class Statistics(Stored[Any], fields=COUNTED):
    """What the project counts: a field for each statistic that it declares."""

    stored = "numbers"


class MeasuredStatistics(Statistics):
    """The statistics, and when they were counted."""

    measured_at = Moment()


class Snapshot(Statistics):
    """The statistics at a past moment."""

    taken_at = Moment()
    database_bytes = Whole(nullable=True)


# The names that no statistic can have, since the object with the statistics has these fields, too.
TAKEN = frozenset(
    name
    for kind in (MeasuredStatistics, Snapshot)
    for name, field in kind.declared.items()
    if field.read is not STORED
)


class Archive(Object[overview.Overview]):
    """The archives of what can be restored."""

    measured_at = Moment("archive.measured_at")
    bytes = Whole("archive.value", help="The size of all archives.")
    budget_bytes = Whole("archive_budget")


class Finding(Object[verdict.Finding]):
    """Something that is not in order."""

    level = Text(choices=[verdict.WARNING, verdict.BAD])
    text = Text()
    advice = Text(nullable=True, help="What to do about it.")
    command = Text(nullable=True, help="A command for that.")
    run = Id(
        lambda finding: finding.run.pk if finding.run else None,
        nullable=True,
        help="The run that it is about.",
    )


class Acknowledged(Object[verdict.Acknowledged]):
    """A failure that somebody has acknowledged."""

    task = Text("run.task")
    run = Id("run.pk")
    error = Text("run.error")
    by = Text("state.acknowledged_by", nullable=True)
    at = Moment("state.acknowledged_at")
    until = Moment("state.acknowledged_until", nullable=True, help="null: until the task succeeds.")
    reason = Text("state.acknowledged_reason", nullable=True)


class Hint(Object[verdict.Hint]):
    """Something to look at, though it is no finding."""

    text = Text()
    run = Id("run.pk")


class Verdict(Object[overview.Overview]):
    """Is everything in order?"""

    level = Text("verdict.level", choices=[verdict.GOOD, verdict.WARNING, verdict.BAD])
    findings = Many(Finding, "verdict.findings", help="The worst first; empty if everything is in order.")
    last_run = One(Run, "verdict.last", nullable=True, help="The newest purge that succeeded.")
    next = One(NextRun, "next_schedule", nullable=True)
    acknowledged = Many(Acknowledged, "verdict.acknowledged", help="Failures that are no findings.")
    hints = Many(Hint, "verdict.hints", help="Tasks whose newest run was unusual.")


class Mark(Object[overview.Mark]):
    """A past run, or a coming fire time."""

    at = Moment()
    task = Text()
    status = Text(
        choices=[*models.Run.Status.values, "next"], help="The status of the run; next for a fire time."
    )


class Overview(Object[overview.Overview]):
    """The figures of the dashboard's first page."""

    status = Text("scheduler.status", choices=STATUSES)
    busy = Flag("is_busy", help="Something is queued or running.")
    statistics = One(MeasuredStatistics)
    archive = One(Archive, itself)
    next_run = One(NextRun, "next_schedule", nullable=True)
    active = Many(Run, lambda seen: reversed(seen.active))
    recent = Many(Run)
    consumers_alive = Whole(lambda seen: len(seen.consumers))
    verdict = One(Verdict, itself)
    waiting = Whole(help="Runs that wait for a worker.")
    timeline = Many(Mark, help="The last and the next 24 hours, oldest first.")


class Tally(Object[models.Tally]):
    """How often runs of a task ended in one way on one day."""

    day = Day(help="In TIME_ZONE.")
    task = Text()
    status = Text()
    runs = Whole()
    rows = Whole(help="Rows that were deleted.")
    duration_ms = Whole(help="Of all these runs together.")


class Act(Object[models.Act]):
    """Something that a person did."""

    id = Whole("pk")
    done_at = Moment()
    who = Text()
    what = Text()
    target = Text(help="The run, schedule or policy that was acted on.")
    origin = Text(help="The dashboard, the API, the admin or a command, and the address of the user.")
    details = AnyObject(help="Includes before and after if something was changed.")
