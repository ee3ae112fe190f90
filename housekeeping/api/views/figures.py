"""What the dashboard's pages show beside runs: the status, the figures, the acts, the consumers."""

import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.asked import read
from housekeeping.api.description import shapes
from housekeeping.api.description.schema import described
from housekeeping.api.rules.pages import ActPages
from housekeeping.api.rules.permissions import MayView
from housekeeping.api.serializers import ActFilterSerializer, DaysSerializer
from housekeeping.database import clock
from housekeeping.journal import acts, tallies
from housekeeping.models import Consumer, Snapshot
from housekeeping.reading import as_json, gauges, overview


@described("Whether schedules run, and when each is due next", shapes.Status)
@api_view(["GET"])
@permission_classes([MayView])
def scheduler_status(request: Request) -> Response:
    return Response(as_json.status(overview.scheduler_status(clock.roughly())))


@described("The five numbers, no more than 30 s old", shapes.Statistics)
@api_view(["GET"])
@permission_classes([MayView])
def statistics(request: Request) -> Response:
    return Response(gauges.read_now("statistics").value)


@described("The figures of the dashboard's first page", shapes.Overview)
@api_view(["GET"])
@permission_classes([MayView])
def overview_figures(request: Request) -> Response:
    body = as_json.overview(overview.overview(clock.roughly()))
    return Response(body, headers=etag_but_for_age(body))


@described(
    "The kept statistics of the last days, oldest first",
    shapes.several(shapes.Snapshot),
    parameters=[DaysSerializer],
)
@api_view(["GET"])
@permission_classes([MayView])
def snapshot_list(request: Request) -> Response:
    days = read(DaysSerializer, request.query_params.dict())["days"]
    since = Snapshot.objects.filter(taken_at__gte=clock.roughly() - timedelta(days=days))
    return Response({"results": [as_json.snapshot(one) for one in since.order_by("taken_at")]})


@described(
    "How many runs of each task ended how on each of the last days",
    shapes.several(shapes.Tally),
    parameters=[DaysSerializer],
)
@api_view(["GET"])
@permission_classes([MayView])
def tally_list(request: Request) -> Response:
    days = read(DaysSerializer, request.query_params.dict())["days"]
    return Response({"results": [as_json.tally(one) for one in tallies.since(clock.roughly(), days)]})


@described("Who did what, newest first", shapes.page_of(shapes.Act), parameters=[ActFilterSerializer])
@api_view(["GET"])
@permission_classes([MayView])
def act_list(request: Request) -> Response:
    asked = read(ActFilterSerializer, request.query_params.dict())
    pages = ActPages()
    page = pages.paginate_queryset(acts.history(asked), request) or []
    return pages.get_paginated_response([as_json.act(act) for act in page])


@described("Consumers that are alive, or were heard of in the last day", shapes.several(shapes.Consumer))
@api_view(["GET"])
@permission_classes([MayView])
def consumer_list(request: Request) -> Response:
    """Consumers that are alive, or were heard of in the last day."""
    now = clock.roughly()
    known = Consumer.objects.filter(last_heartbeat_at__gte=now - timedelta(days=1))
    return Response({"results": [as_json.consumer(row, alive=row.is_alive(now)) for row in known]})


def etag_but_for_age(body: dict[str, Any]) -> dict[str, str]:
    """A weak ETag: a figure that was measured again and is the same is no news."""
    text = json.dumps(body, sort_keys=True, default=str)
    without_age = re.sub(r'"measured_at": "[^"]*"', "", text)
    return {"ETag": f'W/"{hashlib.sha256(without_age.encode()).hexdigest()[:32]}"'}
