"""What a request asks, and who asks it."""

from typing import Any

from rest_framework.request import Request

from housekeeping.api.serializers import Strict
from housekeeping.journal.acts import Actor


def read(kind: type[Strict], data: Any) -> dict[str, Any]:
    fields = kind(data=data)
    fields.is_valid(raise_exception=True)
    asked: dict[str, Any] = fields.validated_data
    return asked


def actor(request: Request) -> Actor:
    return Actor(request.user.get_username(), f"API from {request.META.get('REMOTE_ADDR', 'unknown')}")
