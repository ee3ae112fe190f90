"""What the API accepts, and how rows that only it shows are written."""

from typing import Any, NoReturn

from rest_framework import serializers

from housekeeping import keeping, overview, retentions
from housekeeping.exceptions import BadHold, BadRetention
from housekeeping.models import Consumer, Run
from housekeeping.registry import TASKS

LONGEST_WAIT = 30
DEFAULT_WAIT = 10


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a misspelt ``dry_run`` must not delete."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [f"Unknown field; known are {known}."] for name in unknown}
            )
        return super().to_internal_value(data)


class TaskField(serializers.CharField):
    """The name of a task. Whatever is wrong with it, the answer names the choices."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in TASKS:
            raise serializers.ValidationError(f"{name!r} is no task; {_choices()}")
        return name

    def fail(self, key: str, **facts: Any) -> NoReturn:
        raise serializers.ValidationError(f"Name a task; {_choices()}", code=key)


def _choices() -> str:
    return f"choose one of {', '.join(TASKS)}."


class WaitSerializer(Strict):
    wait = serializers.FloatField(
        default=DEFAULT_WAIT,
        min_value=0,
        max_value=LONGEST_WAIT,
        help_text="Seconds to wait for the end of the run.",
    )


class TriggerSerializer(WaitSerializer):
    task = TaskField()
    dry_run = serializers.BooleanField(default=False)
    plan = serializers.UUIDField(
        required=False, help_text="A dry run: delete the rows that it saw, and no others."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["dry_run"] and "plan" in attrs:
            raise serializers.ValidationError({"plan": ["A dry run makes a plan; it can't carry one out."]})
        return attrs


class PauseSerializer(Strict):
    paused = serializers.BooleanField()


class ScheduleSerializer(Strict):
    paused = serializers.BooleanField(required=False)
    trigger = serializers.CharField(
        required=False, help_text="Five cron fields, or an interval [D ]HH:MM:SS."
    )
    reset = serializers.BooleanField(required=False, help_text="true: the declared trigger again.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        if "trigger" in attrs and attrs.get("reset"):
            raise serializers.ValidationError({"reset": ["Either a trigger or a reset, not both."]})
        return attrs


class RetentionField(serializers.Field[int, Any, int, Any]):
    """A number of days; the core knows which."""

    def to_internal_value(self, data: Any) -> int:
        try:
            return retentions.parse(data)
        except BadRetention as error:
            raise serializers.ValidationError(str(error)) from None


class PreviewSerializer(Strict):
    retention_days = RetentionField(required=False)


class PolicySerializer(Strict):
    retention_days = RetentionField(required=False)
    reset = serializers.BooleanField(required=False, help_text="true: the declared retention again.")
    dry_run = serializers.BooleanField(default=False, help_text="Only say what it would hit.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("retention_days" in attrs) == bool(attrs.get("reset")):
            raise serializers.ValidationError(
                {"retention_days": ["Give either retention_days or reset: true."]}
            )
        return attrs


class UntilField(serializers.CharField):
    """The end of a hold: a date (to its end), ISO 8601, or null, which is for good."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, help_text="A date, ISO 8601, or null: for good.", **options)

    def to_internal_value(self, data: Any) -> Any:
        try:
            return keeping.moment(super().to_internal_value(data))
        except BadHold as error:
            raise serializers.ValidationError(str(error)) from None


class HoldSerializer(Strict):
    """A new hold. What the row, the reason and the date must be, ``keeping.add`` says."""

    model = serializers.CharField(help_text="app_label.Model")
    key = serializers.CharField()
    until = UntilField(default=None)
    reason = serializers.CharField()


class HoldChangeSerializer(Strict):
    until = UntilField(required=False)
    reason = serializers.CharField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        return attrs


class HoldGroupSerializer(Strict):
    until = UntilField()


class HoldFilterSerializer(Strict):
    """The query of the holds list."""

    model = serializers.CharField(required=False)
    key = serializers.CharField(required=False)
    undo = serializers.UUIDField(required=False, help_text="The run that put the rows back.")
    active = serializers.BooleanField(required=False, help_text="false: those that have ended.")
    cursor = serializers.CharField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200)


class RunFilterSerializer(Strict):
    """The query of the runs list."""

    task = serializers.CharField(required=False)
    schedule = serializers.CharField(required=False)
    status = serializers.ChoiceField(
        Run.Status.choices,
        required=False,
        error_messages={"invalid_choice": f"Choose one of {', '.join(Run.Status.values)}."},
    )
    cause = serializers.ChoiceField(
        Run.Cause.choices,
        required=False,
        error_messages={"invalid_choice": f"Choose one of {', '.join(Run.Cause.values)}."},
    )
    after = serializers.DateTimeField(required=False)
    before = serializers.DateTimeField(required=False)
    cursor = serializers.CharField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200)


def consumer_as_json(consumer: Consumer, *, alive: bool) -> dict[str, Any]:
    return {
        "id": str(consumer.pk),
        "host": consumer.host,
        "pid": consumer.pid,
        "workers": consumer.workers,
        "worker_type": consumer.worker_type,
        "started_at": overview.iso(consumer.started_at),
        "last_heartbeat_at": overview.iso(consumer.last_heartbeat_at),
        "stopped_at": overview.iso(consumer.stopped_at),
        "alive": alive,
        "schedules": consumer.schedules,
    }
