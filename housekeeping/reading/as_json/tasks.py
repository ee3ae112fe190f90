"""Tasks as JSON."""

from housekeeping.reading.as_json.fields import Flag, Many, Moment, Object, One, Text, Whole
from housekeeping.reading.as_json.runs import Run
from housekeeping.reading.tasks import TaskCard


class Task(Object[TaskCard]):
    """A declared task, and whether somebody has paused it."""

    name = Text("task.name")
    title = Text("task.title")
    description = Text("task.description")
    has_dry_run = Flag("task.can_be_previewed")
    retries = Whole("task.retries", help="How often a run that failed is tried again.")
    retry_delay_seconds = Whole(
        lambda card: round(card.task.retry_delay.total_seconds()),
        help="Before the first one; it doubles.",
    )
    schedules = Many(Text(), help="The ids of its schedules.")
    policies = Many(Text(), help="The policies that it purges by.")
    paused = Flag("is_paused", help="No schedule, catch-up or automatic retry starts it.")
    paused_by = Text(lambda card: card.pause and card.pause.changed_by, nullable=True)
    paused_at = Moment(lambda card: card.pause and card.pause.changed_at, nullable=True)
    pause_reason = Text(lambda card: card.pause and card.pause.reason, nullable=True)
    acknowledged = Flag("is_acknowledged", help="Somebody knows that it fails.")
    acknowledged_by = Text(
        lambda card: card.acknowledged and card.acknowledged.acknowledged_by, nullable=True
    )
    acknowledged_until = Moment(
        lambda card: card.acknowledged and card.acknowledged.acknowledged_until,
        nullable=True,
        help="null: until it succeeds.",
    )
    acknowledged_reason = Text(
        lambda card: card.acknowledged and card.acknowledged.acknowledged_reason, nullable=True
    )
    latest = One(Run, nullable=True, help="Its active run, or else its newest.")
