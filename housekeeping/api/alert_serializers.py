"""The bodies and queries about alerts that the API accepts."""

from typing import Any

from rest_framework import serializers

from housekeeping.api.serializers import (
    BooleanField,
    FlagField,
    OneOfField,
    PageSerializer,
    Strict,
    TextField,
)
from housekeeping.models import Channel, Delivery, Incident
from housekeeping.reading.alerting.alerts import STATES
from housekeeping.steering.channels import LONGEST_ADDRESS, LONGEST_NAME


class IncidentFilterSerializer(PageSerializer):
    """The query of the incidents list."""

    kind = OneOfField(Incident.Kind)
    open = FlagField(required=False, help_text="true: those that are not over.")


class AlertFilterSerializer(PageSerializer):
    """The query of the alerts list."""

    channel = serializers.CharField(required=False)
    transport = OneOfField(Delivery.Transport)
    state = serializers.ChoiceField([*STATES], required=False)


class WordField(serializers.ChoiceField):
    """One of some words. The error lists them."""

    def __init__(self, words: list[str], **options: Any) -> None:
        wrong: dict[str, Any] = {"invalid_choice": f"Choose one of {', '.join(words)}."}
        super().__init__(words, error_messages=wrong, **options)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class _Fields(Strict):
    kinds = serializers.ListField(
        child=WordField(Incident.Kind.values), required=False, help_text="Kinds of incidents. Empty: all."
    )
    tasks = serializers.ListField(
        child=TextField(max_length=100), required=False, help_text="Tasks. Empty: all."
    )
    on = BooleanField(required=False, source="is_on")
    reminders = BooleanField(
        required=False, source="is_reminded", help_text="Also each day while an incident lasts."
    )


class ChannelSerializer(_Fields):
    """A new channel."""

    name = TextField(max_length=LONGEST_NAME)
    kind = WordField(Channel.Kind.values)
    address = TextField(max_length=LONGEST_ADDRESS, help_text="A mail address, or a URL on a listed host.")


class ChannelChangeSerializer(_Fields):
    """What to change about a channel."""

    address = TextField(required=False, max_length=LONGEST_ADDRESS)
    new_secret = BooleanField(required=False, help_text="true: sign with another secret from now on.")

    schema_extra = {"additionalProperties": False, "minProperties": 1}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        return attrs
