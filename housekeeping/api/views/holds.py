"""Holds: look at them, make them, change them, end them."""

import uuid

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse
from rest_framework import status
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.asked import actor, read
from housekeeping.api.description import shapes
from housekeeping.api.description.schema import described, location, request_example
from housekeeping.api.rules.pages import HoldPages
from housekeeping.api.rules.permissions import MayConfigure, MayKeep
from housekeeping.api.serializers import (
    HoldChangeSerializer,
    HoldFilterSerializer,
    HoldGroupSerializer,
    HoldSerializer,
)
from housekeeping.database import clock
from housekeeping.engine.holds import without_row
from housekeeping.models import Hold, Run
from housekeeping.reading import as_json, search
from housekeeping.steering import holds

LOCATION = location("Where the hold is.", 201)


@described(
    "Holds, newest first", shapes.page_of(shapes.Hold), parameters=[HoldFilterSerializer], methods=["GET"]
)
@described(
    "Keep a row from every policy",
    {201: shapes.Hold},
    asked=HoldSerializer,
    parameters=[LOCATION],
    methods=["POST"],
    examples=[
        request_example(
            "Until a day",
            {"model": "chat.Conversation", "key": "4711", "until": "2127-01-31", "reason": "A dispute"},
        ),
        request_example("For good", {"model": "chat.Conversation", "key": "4711", "reason": "Evidence"}),
    ],
)
@api_view(["GET", "POST"])
@permission_classes([MayKeep])
def hold_list(request: Request) -> Response:
    """The holds, newest first; POST keeps a row."""
    now = clock.roughly()
    if request.method == "POST":
        hold = holds.add(**read(HoldSerializer, request.data), by=actor(request))
        facts = as_json.hold(hold, now, without_row([hold]))
        return Response(facts, status=status.HTTP_201_CREATED, headers={"Location": facts["url"]})
    filters = read(HoldFilterSerializer, request.query_params.dict())
    pages = HoldPages()
    page = pages.paginate_queryset(search.holds(filters, now), request) or []
    gone = without_row(page)
    return pages.get_paginated_response([as_json.hold(hold, now, gone) for hold in page])


@described("A hold", shapes.Hold, methods=["GET"])
@described(
    "Change a hold's end or its reason",
    shapes.Hold,
    asked=HoldChangeSerializer,
    also=[409],
    methods=["PATCH"],
    examples=[
        request_example("Until a day", {"until": "2127-01-31"}),
        request_example("For good", {"until": None}),
        request_example("Another reason", {"reason": "A dispute, number 7"}),
    ],
)
@described(
    "End a hold",
    {204: OpenApiResponse(description="The policies have the row again.")},
    also=[409],
    methods=["DELETE"],
)
@api_view(["GET", "PATCH", "DELETE"])
@permission_classes([MayKeep])
def hold_detail(request: Request, pk: str) -> Response:
    """A hold; PATCH changes its end or its reason, DELETE ends it."""
    hold = get_object_or_404(Hold, pk=pk)
    if request.method == "DELETE":
        holds.end(hold, by=actor(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
    if request.method == "PATCH":
        hold = holds.change(hold, **read(HoldChangeSerializer, request.data), by=actor(request))
    return Response(as_json.hold(hold, clock.now(), without_row([hold])))


@described(
    "Change the end of all holds that an undo made",
    shapes.HoldsChanged,
    asked=HoldGroupSerializer,
    also=[409],
    methods=["PATCH"],
    name="patch_undo_holds",
    examples=[request_example("Until a day", {"until": "2127-01-31"})],
)
@described(
    "End all holds that an undo made",
    shapes.HoldsEnded,
    also=[409],
    methods=["DELETE"],
    name="delete_undo_holds",
)
@api_view(["PATCH", "DELETE"])
@permission_classes([MayConfigure])
def undo_holds(request: Request, pk: uuid.UUID) -> Response:
    """All holds that an undo made: PATCH changes their end, DELETE ends them."""
    undo = get_object_or_404(Run, pk=pk)
    if request.method == "DELETE":
        return Response({"ended": holds.end_all(undo, by=actor(request))})
    until = read(HoldGroupSerializer, request.data)["until"]
    changed = holds.change_all(undo, until, by=actor(request))
    return Response({"changed": changed, "until": as_json.iso(until)})
