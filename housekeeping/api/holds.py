"""Holds in the JSON API: parse, call one function of the core, answer."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import status
from rest_framework.decorators import api_view, permission_classes
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping import keeping, overview
from housekeeping.api.permissions import MayConfigure, MayKeep
from housekeeping.api.serializers import (
    HoldChangeSerializer,
    HoldFilterSerializer,
    HoldGroupSerializer,
    HoldSerializer,
    Strict,
)
from housekeeping.api.views import _actor
from housekeeping.models import Hold, Run


class HoldPages(CursorPagination):
    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, *args: Any, **options: Any) -> Any:
        try:
            return super().paginate_queryset(*args, **options)
        except ValueError:  # a cursor that was made up, not taken from a page
            raise ValidationError({"cursor": ["Take the cursor from a page's next or previous."]}) from None


@api_view(["GET", "POST"])
@permission_classes([MayKeep])
def hold_list(request: Request) -> Response:
    """The holds, newest first; POST keeps a row."""
    now = timezone.now()
    if request.method == "POST":
        hold = keeping.add(**_asked(HoldSerializer, request.data), by=_actor(request))
        facts = overview.hold_as_json(hold, now)
        return Response(facts, status=status.HTTP_201_CREATED, headers={"Location": facts["url"]})
    filters = _asked(HoldFilterSerializer, request.query_params.dict())
    pages = HoldPages()
    page = pages.paginate_queryset(overview.holds(filters, now), request) or []
    return pages.get_paginated_response([overview.hold_as_json(hold, now) for hold in page])


@api_view(["GET", "PATCH", "DELETE"])
@permission_classes([MayKeep])
def hold_detail(request: Request, pk: str) -> Response:
    """A hold; PATCH changes its end or its reason, DELETE ends it."""
    hold = get_object_or_404(Hold, pk=pk)
    if request.method == "DELETE":
        keeping.end(hold, by=_actor(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
    if request.method == "PATCH":
        hold = keeping.change(hold, **_asked(HoldChangeSerializer, request.data), by=_actor(request))
    return Response(overview.hold_as_json(hold, timezone.now()))


@api_view(["PATCH", "DELETE"])
@permission_classes([MayConfigure])
def undo_holds(request: Request, pk: uuid.UUID) -> Response:
    """All holds that an undo made: PATCH changes their end, DELETE ends them."""
    undo = get_object_or_404(Run, pk=pk)
    if request.method == "DELETE":
        return Response({"ended": keeping.end_all(undo, by=_actor(request))})
    until = _asked(HoldGroupSerializer, request.data)["until"]
    changed = keeping.change_all(undo, until, by=_actor(request))
    return Response({"changed": changed, "until": overview.iso(until)})


def _asked(serializer: type[Strict], data: Any) -> Any:
    fields = serializer(data=data)
    fields.is_valid(raise_exception=True)
    return fields.validated_data
