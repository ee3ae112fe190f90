"""Holds: list, make, change and end them."""

import uuid

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.examples import hold_bodies
from housekeeping.api.description.schema import location
from housekeeping.api.description.shapes import page_of
from housekeeping.api.rules.pages import NumberedPages
from housekeeping.api.rules.permissions import MayConfigure
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


class HoldList(HousekeepingView):
    """The holds, newest first; POST makes one."""

    @operation("Holds, newest first", page_of(as_json.Hold), query=HoldFilterSerializer)
    def get(self, request: Request) -> Response:
        now, pages = clock.roughly(), NumberedPages()
        page = pages.paginate_queryset(search.holds(self.read(), now), request) or []
        gone = without_row(page)
        return pages.get_paginated_response([as_json.hold(hold, now, gone) for hold in page])

    @operation(
        "Put a row on hold",
        {201: as_json.Hold},
        right=MayConfigure,
        body=HoldSerializer,
        parameters=[location("The address of the hold.", 201)],
        examples=hold_bodies,
    )
    def post(self, request: Request) -> Response:
        hold = holds.add(**self.read(), by=self.actor)
        facts = as_json.hold(hold, clock.roughly(), without_row([hold]))
        return Response(facts, status=status.HTTP_201_CREATED, headers={"Location": facts["url"]})


class HoldDetail(HousekeepingView):
    """A hold; PATCH changes its end or its reason, DELETE ends it."""

    changeable = ("until", "reason", "active")

    @operation("A hold", as_json.Hold)
    def get(self, request: Request, pk: str) -> Response:
        return self._told(get_object_or_404(Hold, pk=pk))

    @operation(
        "Change a hold's end or its reason",
        as_json.Hold,
        right=MayConfigure,
        body=HoldChangeSerializer,
        also=[409],
        examples=lambda: {
            "Until a day": {"until": "2127-01-31"},
            "Without an end": {"until": None},
            "Another reason": {"reason": "A dispute, number 7"},
        },
    )
    def patch(self, request: Request, pk: str) -> Response:
        hold = get_object_or_404(Hold, pk=pk)
        return self._told(holds.change(hold, **self.read(), by=self.actor))

    @operation(
        "End a hold",
        {204: OpenApiResponse(description="The hold is ended: policies may delete the row again.")},
        right=MayConfigure,
        also=[409],
    )
    def delete(self, request: Request, pk: str) -> Response:
        holds.end(get_object_or_404(Hold, pk=pk), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _told(self, hold: Hold) -> Response:
        return Response(as_json.hold(hold, clock.now(), without_row([hold])))


class UndoHolds(HousekeepingView):
    """All holds that an undo made: PATCH changes their end, DELETE ends them."""

    @operation(
        "Change the end of all holds that an undo made",
        as_json.HoldsChanged,
        right=MayConfigure,
        body=HoldGroupSerializer,
        also=[409],
        examples=lambda: {"Until a day": {"until": "2127-01-31"}},
    )
    def patch(self, request: Request, pk: uuid.UUID) -> Response:
        undo = get_object_or_404(Run, pk=pk)
        until = self.read()["until"]
        changed = holds.change_all(undo, until, by=self.actor)
        return Response(as_json.HoldsChanged.of(None, changed=changed, until=as_json.iso(until)))

    @operation("End all holds that an undo made", as_json.HoldsEnded, right=MayConfigure, also=[409])
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        ended = holds.end_all(get_object_or_404(Run, pk=pk), by=self.actor)
        return Response(as_json.HoldsEnded.of(None, ended=ended))
