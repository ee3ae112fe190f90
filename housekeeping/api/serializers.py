"""The bodies and queries that the API accepts, as DRF serializers."""

import uuid
from datetime import UTC, datetime, tzinfo
from typing import Any, ClassVar, NoReturn

from django.db.models import TextChoices
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import ISO_8601, serializers

from housekeeping import conf
from housekeeping.api.rules.pages import LARGEST_PAGE
from housekeeping.declared.registry import TASKS
from housekeeping.exceptions import BadHold, BadRetention
from housekeeping.models import REASON_LENGTH, Hold, Run
from housekeeping.models.text import whole
from housekeeping.reading.search import FIRST_YEAR, LAST_YEAR, TEXT_REACH
from housekeeping.steering import bulk, holds, retentions

LONGEST_WAIT = 30  # seconds
DEFAULT_WAIT = 10
LONGEST_REASON = Hold._meta.get_field("reason").max_length


class Strict(serializers.Serializer[Any]):
    # No docstring: the description would use it for each body that has none of its own. Refuses unknown
    # fields: a request with a misspelt ``dry_run`` must not delete.

    # Added to its schema: rules that no single field can express. Only keys beside "properties", since
    # generators of clients drop fields, or write code that can't be imported, for oneOf and not.
    schema_extra: ClassVar[dict[str, Any]] = {"additionalProperties": False}

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [f"Unknown field; choose one of {known}."] for name in unknown}
            )
        return super().to_internal_value(data)


# Strict about JSON's types: a mistyped dry_run must not delete rows.


class BooleanField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("Write true or false.")
        return data


class NumberField(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise serializers.ValidationError("Write a number.")
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Write a string.")
        return super().to_internal_value(data)


class IdField(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str) or len(data) != 36:
            raise serializers.ValidationError("Write the id of a run.")
        return super().to_internal_value(data)


class FlagField(serializers.ChoiceField):
    """True or false in a query, where all values are text."""

    def __init__(self, **options: Any) -> None:
        wrong: dict[str, Any] = {"invalid_choice": "Write true or false."}
        super().__init__(["true", "false"], error_messages=wrong, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data) == "true"


class OneOfField(serializers.ChoiceField):
    """A filter for one of a model's choices. The error lists them."""

    def __init__(self, of: type[TextChoices]) -> None:
        wrong: dict[str, Any] = {"invalid_choice": f"Choose one of {', '.join(of.values)}."}
        super().__init__(of.choices, required=False, error_messages=wrong)


class TaskField(TextField):
    """The name of a task. Every error message lists the choices."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in TASKS:
            raise serializers.ValidationError(f"{data!r} is not a task; {_choices()}")
        return data

    def fail(self, key: str, **facts: Any) -> NoReturn:
        raise serializers.ValidationError(f"Name a task; {_choices()}", code=key)


def _choices() -> str:
    return f"choose one of {', '.join(TASKS)}."


class WaitSerializer(Strict):
    """How long to wait."""

    wait = NumberField(
        default=DEFAULT_WAIT,
        min_value=0,
        max_value=LONGEST_WAIT,
        help_text="Seconds to wait for the end of the run.",
    )


class UndoSerializer(WaitSerializer):
    """How to undo a run."""

    unverified = BooleanField(
        default=False,
        help_text="Also restore archives that can't be verified, such as those of version 1.0.",
    )
    intact_only = BooleanField(
        default=False, help_text="Restore the intact batches, although others are damaged."
    )


class TriggerSerializer(WaitSerializer):
    """Which task to run, and how: plan and dry_run: true exclude each other."""

    task = TaskField()
    dry_run = BooleanField(default=False, help_text="Delete nothing; answer what would be deleted.")
    plan = IdField(required=False, help_text="A dry run, whose rows are deleted, and no others.")

    def to_internal_value(self, data: Any) -> Any:
        """Treats a body that isn't an object as empty, so that the error lists the tasks."""
        return super().to_internal_value(data if isinstance(data, dict) else {})


class IdsSerializer(Strict):
    """Some runs."""

    ids = serializers.ListField(child=IdField(), min_length=1, max_length=bulk.MOST, help_text="Of runs.")


class PauseSerializer(Strict):
    """Whether all schedules are paused."""

    paused = BooleanField()


class TaskSerializer(Strict):
    """Whether a task is paused."""

    paused = BooleanField()
    reason = TextField(
        required=False, default="", max_length=REASON_LENGTH, allow_blank=True, help_text="Why it is paused."
    )


class ScheduleSerializer(Strict):
    """What to change about a schedule: trigger and reset: true exclude each other."""

    paused = BooleanField(required=False)
    trigger = TextField(required=False, help_text="Five cron fields, or an interval [D ]HH:MM:SS.")
    reset = BooleanField(required=False, help_text="true: the declared trigger again.")

    schema_extra = {"additionalProperties": False, "minProperties": 1}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        if "trigger" in attrs and attrs.get("reset"):
            raise serializers.ValidationError({"reset": ["Give either trigger or reset: true, not both."]})
        return attrs


class FireTimesSerializer(Strict):
    trigger = serializers.CharField(help_text="Five cron fields, or an interval [D ]HH:MM:SS.")


class WholeField(serializers.IntegerField):
    """A whole number in a query, where all values are text."""

    def to_internal_value(self, data: Any) -> int:
        try:
            return whole(str(data))
        except ValueError:
            self.fail("invalid")


class QueryRetentionField(serializers.IntegerField):
    """A number of days, checked by the core."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=conf.LONGEST_DAYS, **options)

    def to_internal_value(self, data: Any) -> int:
        try:
            return retentions.parse(data)
        except BadRetention as error:
            raise serializers.ValidationError(str(error)) from None


class RetentionField(QueryRetentionField):
    """In a body, it must be a JSON number. 30.0 is accepted, since JSON does not distinguish it from 30."""

    def to_internal_value(self, data: Any) -> int:
        whole = int(data) if isinstance(data, float) and data.is_integer() else data
        return super().to_internal_value(whole if isinstance(whole, int) else repr(data))


class PreviewSerializer(Strict):
    retention_days = QueryRetentionField(required=False)


class PolicySerializer(Strict):
    """A new retention: either retention_days, or reset: true."""

    retention_days = RetentionField(required=False)
    reset = BooleanField(required=False, help_text="true: the declared retention again.")
    dry_run = BooleanField(default=False, help_text="Change nothing; answer what it would delete.")

    schema_extra = {"additionalProperties": False, "minProperties": 1}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("retention_days" in attrs) == bool(attrs.get("reset")):
            raise serializers.ValidationError(
                {"retention_days": ["Give either retention_days or reset: true."]}
            )
        return attrs


class UntilField(TextField):
    """The end of a hold: a date (the end of that day), ISO 8601, or null for no end."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, **{"help_text": "A date, ISO 8601, or null: no end.", **options})

    def to_internal_value(self, data: Any) -> Any:
        try:
            return holds.moment(super().to_internal_value(data))
        except BadHold as error:
            raise serializers.ValidationError(str(error)) from None


@extend_schema_field({"type": ["string", "integer"]})
class KeyField(serializers.CharField):
    """The primary key of a row, as a number or as text: 42 or "42"."""

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, bool) or not isinstance(data, str | int):
            raise serializers.ValidationError("Write a key: a string or a whole number.")
        return super().to_internal_value(str(data))


class HoldSerializer(Strict):
    """A new hold."""

    model = TextField(help_text="app_label.Model")
    key = KeyField()
    until = UntilField(default=None)
    reason = TextField(max_length=LONGEST_REASON)


class AcknowledgementSerializer(Strict):
    """Until when, and why, a failure is acknowledged."""

    until = UntilField(default=None, help_text="A date, ISO 8601, or null: until it succeeds.")
    reason = TextField(required=False, default="", max_length=REASON_LENGTH, allow_blank=True)


class HoldChangeSerializer(Strict):
    """What to change about a hold."""

    until = UntilField(required=False)
    reason = TextField(required=False, max_length=LONGEST_REASON)

    schema_extra = {"additionalProperties": False, "minProperties": 1}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        return attrs


class HoldGroupSerializer(Strict):
    """The end of several holds."""

    until = UntilField()


class PageSerializer(Strict):
    cursor = serializers.CharField(required=False, help_text="Taken from next or previous.")
    page_size = WholeField(required=False, min_value=1, max_value=LARGEST_PAGE)


class HoldFilterSerializer(PageSerializer):
    """The query of the holds list."""

    model = serializers.CharField(required=False)
    key = serializers.CharField(required=False)
    undo = IdField(required=False, help_text="The run that restored the rows.")
    active = FlagField(required=False, help_text="true: holds that apply; false: holds that have ended.")


class MomentField(serializers.DateTimeField):
    """ISO 8601, within the years that work in every time zone and database. Without an offset, it is in
    TIME_ZONE.
    """

    input_formats = (ISO_8601,)

    def default_timezone(self) -> tzinfo:
        return timezone.get_default_timezone()

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = super().to_internal_value(value)
            is_usable = FIRST_YEAR <= moment.astimezone(UTC).year <= LAST_YEAR
        except OverflowError:
            is_usable = False
        if not is_usable:
            raise serializers.ValidationError(f"Write a moment of the years {FIRST_YEAR} to {LAST_YEAR}.")
        return moment


class TimeSerializer(PageSerializer):
    after = MomentField(
        required=False, help_text=f"From this moment on, of the years {FIRST_YEAR} to {LAST_YEAR}."
    )
    before = MomentField(
        required=False, help_text=f"Before this moment, of the years {FIRST_YEAR} to {LAST_YEAR}."
    )


class RunFilterSerializer(TimeSerializer):
    """The query of the runs list."""

    task = serializers.CharField(required=False)
    schedule = serializers.CharField(required=False)
    status = OneOfField(Run.Status)
    cause = OneOfField(Run.Cause)
    who = serializers.CharField(required=False, help_text="The user who requested the run.")
    text = serializers.CharField(
        required=False,
        max_length=200,
        help_text="A part of the run's error, task, schedule or user, or the start of its id. Searched for "
        f"in the newest {TEXT_REACH:,} runs that match the other filters; a whole id in all runs.",
    )
    dry_run = FlagField(required=False)


class ActFilterSerializer(TimeSerializer):
    """The query of the list of acts."""

    who = serializers.CharField(required=False)
    what = serializers.CharField(required=False, help_text="The act: trigger, cancel, pause, …")
    target = serializers.CharField(
        required=False, help_text="The id of a run or schedule, or the name of a policy."
    )


class LogSerializer(Strict):
    after = WholeField(
        required=False, min_value=0, max_value=2**63 - 1, help_text="The id of the last line already seen."
    )


class DaysSerializer(Strict):
    days = WholeField(default=30, min_value=1, max_value=366, help_text="Today included.")
