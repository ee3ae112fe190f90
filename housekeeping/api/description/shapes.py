"""What the API answers, field by field: for its description alone, the core writes the answers.

A test holds every answer against these shapes; what is in neither place, or in one alone, fails it.
"""

from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import (
    BooleanField,
    CharField,
    ChoiceField,
    DateTimeField,
    DictField,
    FloatField,
    IntegerField,
    ListField,
    UUIDField,
)

from housekeeping.models import Run as RunRow
from housekeeping.reading import verdict

Shape = serializers.Serializer[Any]


@extend_schema_field({})
class Anything(serializers.JSONField):
    pass


@extend_schema_field({"type": "object", "additionalProperties": True})
class AnObject(serializers.JSONField):
    pass


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class AnObjectOrNull(serializers.JSONField):
    pass


@extend_schema_field({"type": "string", "format": "uri-reference"})
class Address(CharField):
    """A path of this site."""


class Progress(Shape):
    done = IntegerField()
    total = IntegerField()
    rows_per_second = IntegerField(required=False, help_text="While it runs.")
    seconds_left = IntegerField(required=False, help_text="While it runs.")


class Run(Shape):
    """One carrying-out of a task. Everywhere the same object."""

    id = UUIDField()
    task = CharField()
    schedule = CharField(allow_null=True)
    cause = ChoiceField(RunRow.Cause.values)
    status = ChoiceField(RunRow.Status.values)
    dry_run = BooleanField()
    scheduled_for = DateTimeField(allow_null=True, help_text="The fire time that it answers.")
    requested_by = CharField(allow_null=True)
    requested_at = DateTimeField()
    started_at = DateTimeField(allow_null=True)
    finished_at = DateTimeField(allow_null=True)
    attempts = IntegerField()
    progress = Progress()
    result = AnObjectOrNull()
    error = CharField(allow_null=True)
    url = Address()
    approved_by = CharField(allow_null=True, help_text="Who let it pass the brake.")
    undo_of = UUIDField(allow_null=True, help_text="The run whose rows it puts back.")
    plan_of = UUIDField(allow_null=True, help_text="The dry run that it carries out.")
    retry_of = UUIDField(allow_null=True, help_text="The run that it does again.")
    plan = AnObject(help_text="By policy: what a dry run, or the brake, saw.")
    receipt = AnObject(help_text="By policy: what it was, and what it removed.")
    cancel_requested = BooleanField(help_text="Somebody cancelled it; while it runs, it is about to stop.")
    losses = IntegerField(help_text="Attempts whose worker went silent.")
    retried = IntegerField(help_text="Transactions tried again, as they conflicted with others.")
    consumer = CharField(allow_null=True, help_text="host:pid of who carries it out, or did last.")
    took_seconds = FloatField(allow_null=True, help_text="From its first start to its end.")


class RunInFull(Run):
    """A run with what is too heavy to stand beside others, or has to be asked for."""

    traceback = CharField(allow_null=True, help_text="Of a failed one.")
    undo_until = DateTimeField(allow_null=True, help_text="When the undo window closes.")
    undo_rows = IntegerField(allow_null=True, help_text="Rows that undo puts back; null: nothing is kept.")
    undo_bytes = IntegerField(allow_null=True, help_text="What keeping them takes.")


class Problem(Shape):
    """Every answer that is no success. A refused field stands at the top, too, beside ``fields``."""

    message = CharField(help_text="A sentence for a person.")
    code = CharField(help_text="A word for a program.")
    fields = DictField(  # type: ignore[assignment]
        child=ListField(child=CharField()), required=False, help_text="By field: what was wrong with it."
    )
    detail = CharField(required=False, help_text="The same as message, for older clients.")
    run = Run(required=False, help_text="The run that it is about.")
    error = CharField(required=False, help_text="What a failed run raised.")
    result = AnObjectOrNull(required=False, help_text="What a failed run did all the same.")


class Ended(Shape):
    message = CharField()
    result = AnObjectOrNull()
    run = Run()


class Standing(Shape):
    """How a run stands that has not ended, or that was cancelled."""

    message = CharField()
    run = Run()


class Outcome(Shape):
    """What became of one of several runs: as if it had been asked for alone."""

    id = UUIDField()
    status = IntegerField(help_text="As the answer to the one request: 200, 202, 403, 404, 409 or 503.")
    message = CharField()
    code = CharField(required=False)
    run = Run(required=False)


class StatusJob(Shape):
    id = CharField()
    name = CharField()
    next_run_time = DateTimeField(allow_null=True, help_text="null where it is paused.")
    trigger = CharField()


class Status(Shape):
    status = ChoiceField(["running", "paused", "stopped"])
    total_jobs = IntegerField()
    jobs = StatusJob(many=True)


class Statistics(Shape):
    total_users = IntegerField(help_text="Active ones.")
    total_conversations = IntegerField()
    total_messages = IntegerField()
    recent_conversations_24h = IntegerField()
    recent_messages_24h = IntegerField()


class Job(Shape):
    id = CharField()
    name = CharField()
    task = CharField()
    trigger = CharField()
    expression = CharField(help_text="As PATCH takes it.")
    declared_expression = CharField()
    time_zone = CharField()
    paused = BooleanField()
    changed = BooleanField(help_text="By an operator: not as declared.")
    upkeep = BooleanField(help_text="The housekeeping's own.")
    next_run_time = DateTimeField(allow_null=True)
    next_fire_times = ListField(child=DateTimeField())
    last_run = Run(allow_null=True)
    late = BooleanField(help_text="A fire time is overdue that no consumer has opened a run for.")


class FireTimes(Shape):
    trigger = CharField()
    next_fire_times = ListField(child=DateTimeField())


class Backlog(Shape):
    rows = IntegerField(allow_null=True, help_text="Past due by now; null where they can't be counted.")
    due_since = DateTimeField(allow_null=True)
    tables = DictField(child=IntegerField(), help_text="Rows that would go, by table.")
    error = CharField(allow_null=True, help_text="What the policy raised instead of rows.")
    measured_at = DateTimeField()


class Policy(Shape):
    name = CharField()
    task = CharField(allow_null=True, help_text="That purges by this policy alone.")
    model = CharField(allow_null=True, help_text="null where the policy raises an error.")
    retention_days = FloatField(allow_null=True)
    declared_retention_days = FloatField(allow_null=True)
    changed = BooleanField()
    changed_by = CharField(allow_null=True)
    changed_at = DateTimeField(allow_null=True)
    upkeep = BooleanField()
    backlog = Backlog()
    url = Address()


class Effect(Shape):
    retention_days = FloatField()
    rows = IntegerField(help_text="Past due by it, now.")
    rows_before = IntegerField(help_text="Past due by the retention in force.")
    saved = BooleanField()


class ChangedPolicy(Policy):
    effect = Effect()


class SampleRow(Shape):
    key = CharField()
    text = CharField(allow_null=True, help_text="What the row is called now; null once it is gone.")
    age_from = DateTimeField(allow_null=True)


class WhatIf(Shape):
    retention_days = IntegerField()
    rows = IntegerField()


class Preview(Shape):
    policy = CharField()
    cutoff = DateTimeField()
    retention_days = FloatField(allow_null=True)
    rows = IntegerField()
    tables = DictField(child=IntegerField(), help_text="Rows that would go, by table.")
    oldest = DateTimeField(allow_null=True)
    newest = DateTimeField(allow_null=True)
    sample = SampleRow(many=True)
    held_back = DictField(child=IntegerField(), help_text="Expired rows that stay, by the reason.")
    usual = IntegerField(allow_null=True, help_text="What runs delete as a rule.")
    warning = CharField(allow_null=True)
    what_if = WhatIf(many=True)


class Consumer(Shape):
    id = UUIDField()
    host = CharField()
    pid = IntegerField()
    workers = IntegerField()
    worker_type = CharField()
    started_at = DateTimeField()
    last_heartbeat_at = DateTimeField()
    stopped_at = DateTimeField(allow_null=True)
    alive = BooleanField()
    schedules = BooleanField(help_text="It looks at the schedules: not started with -n.")
    version = CharField(allow_null=True, help_text="Of the site, and of Huey.")
    clock_offset_ms = IntegerField(
        allow_null=True, help_text="How far its host's clock is ahead of the database's, which decides."
    )


class ReceiptAct(Shape):
    who = CharField()
    what = CharField()
    done_at = DateTimeField()
    origin = CharField()


class Receipt(Shape):
    run = UUIDField()
    task = CharField()
    status = CharField()
    cause = CharField()
    schedule = CharField(allow_null=True)
    scheduled_for = DateTimeField(allow_null=True)
    requested_by = CharField(allow_null=True)
    requested_at = DateTimeField()
    approved_by = CharField(allow_null=True)
    plan_of = UUIDField(allow_null=True)
    started_at = DateTimeField(allow_null=True)
    finished_at = DateTimeField(allow_null=True)
    attempts = IntegerField()
    policies = ListField(child=AnObject())
    undone_by = ListField(child=UUIDField())
    acts = ReceiptAct(many=True)


class Act(Shape):
    id = IntegerField()
    done_at = DateTimeField()
    who = CharField()
    what = CharField()
    target = CharField(help_text="The run, schedule or policy it was done to.")
    origin = CharField(help_text="A face, and the address it was used from.")
    details = AnObject(help_text="Before and after, where something was changed.")


class Hold(Shape):
    """A row that every policy leaves alone."""

    id = IntegerField()
    model = CharField()
    key = CharField()
    until = DateTimeField(allow_null=True, help_text="null: for good.")
    reason = CharField()
    active = BooleanField(help_text="It has not ended.")
    row_exists = BooleanField(help_text="false: its row is gone, and the hold keeps nothing.")
    made_by = CharField(allow_null=True)
    made_at = DateTimeField()
    undo = UUIDField(allow_null=True, help_text="The run that put the row back, and holds it.")
    url = Address()


class HoldsChanged(Shape):
    changed = IntegerField(help_text="Holds.")
    until = DateTimeField(allow_null=True)


class HoldsEnded(Shape):
    ended = IntegerField(help_text="Holds.")


class LogLine(Shape):
    id = IntegerField()
    logged_at = DateTimeField()
    level = CharField()
    text = CharField()


class Measured(Shape):
    measured_at = DateTimeField()


class MeasuredStatistics(Statistics, Measured):
    pass


class Archive(Measured):
    bytes = IntegerField(help_text="What undo keeps.")
    budget_bytes = IntegerField()


class NextRun(Shape):
    schedule = CharField()
    at = DateTimeField()


class Finding(Shape):
    """Something that is not as it should be."""

    level = ChoiceField([verdict.WARNING, verdict.BAD])
    text = CharField()
    advice = CharField(allow_null=True, help_text="What to do about it.")
    command = CharField(allow_null=True, help_text="What to type for that.")
    run = UUIDField(allow_null=True, help_text="The run that it is about.")


class Verdict(Shape):
    """Is all well?"""

    level = ChoiceField([verdict.GOOD, verdict.WARNING, verdict.BAD])
    findings = Finding(many=True, help_text="The worst first; none where all is well.")
    last_run = Run(allow_null=True, help_text="The newest that did its work.")
    next = NextRun(allow_null=True)


class Mark(Shape):
    """A run that was, or a fire time that comes."""

    at = DateTimeField()
    task = CharField()
    status = ChoiceField([*RunRow.Status.values, "next"], help_text="A run's; next for a fire time.")


class Overview(Shape):
    status = ChoiceField(["running", "paused", "stopped"])
    busy = BooleanField(help_text="Something is queued or running.")
    statistics = MeasuredStatistics()
    archive = Archive()
    next_run = NextRun(allow_null=True)
    active = Run(many=True)
    recent = Run(many=True)
    consumers_alive = IntegerField()
    verdict = Verdict()
    waiting = IntegerField(help_text="Runs that wait for a worker.")
    timeline = Mark(many=True, help_text="The last and the next 24 hours, oldest first.")


class Snapshot(Statistics):
    taken_at = DateTimeField()
    database_bytes = IntegerField(allow_null=True)


class Tally(Shape):
    day = serializers.DateField(help_text="In TIME_ZONE.")
    task = CharField()
    status = CharField()
    runs = IntegerField()
    rows = IntegerField(help_text="Rows that were deleted.")
    duration_ms = IntegerField(help_text="Of all these runs together.")


@cache
def several(shape: type[Shape]) -> Any:
    """A list under ``results``."""
    return type(f"{shape.__name__}List", (Shape,), {"results": shape(many=True)})()


@cache
def page_of(shape: type[Shape]) -> Any:
    """One page of many, newest first."""
    links = {name: serializers.URLField(allow_null=True) for name in ("next", "previous")}
    return type(f"{shape.__name__}Page", (Shape,), {**links, "results": shape(many=True)})()
