"""The status, statistics, snapshots, tallies, acts and consumers."""

import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.shapes import page_of, several
from housekeeping.api.rules.pages import ActPages
from housekeeping.api.serializers import ActFilterSerializer, DaysSerializer
from housekeeping.database import clock
from housekeeping.journal import acts, tallies
from housekeeping.models import Snapshot
from housekeeping.reading import as_json, gauges, overview, workers


class SchedulerStatus(HousekeepingView):
    @operation("Whether schedules run, and when each is due next", as_json.SchedulerStatus)
    def get(self, request: Request) -> Response:
        return Response(as_json.SchedulerStatus.of(overview.scheduler_status(clock.roughly())))


class Statistics(HousekeepingView):
    @operation("The statistics, no more than 30 s old", as_json.Statistics)
    def get(self, request: Request) -> Response:
        return Response(as_json.Statistics.of(gauges.read_now(gauges.NUMBERS)))


class OverviewFigures(HousekeepingView):
    @operation("The figures of the dashboard's first page", as_json.Overview)
    def get(self, request: Request) -> Response:
        body = as_json.Overview.of(overview.overview(clock.roughly()))
        return Response(body, headers=etag_but_for_age(body))


class SnapshotList(HousekeepingView):
    @operation(
        "The snapshots of the last days, oldest first",
        several(as_json.Snapshot),
        query=DaysSerializer,
    )
    def get(self, request: Request) -> Response:
        since = clock.roughly() - timedelta(days=self.read()["days"])
        found = Snapshot.objects.filter(taken_at__gte=since).order_by("taken_at")
        return Response({"results": [as_json.Snapshot.of(one) for one in found]})


class TallyList(HousekeepingView):
    @operation(
        "How many runs of each task ended in which way on each of the last days",
        several(as_json.Tally),
        query=DaysSerializer,
    )
    def get(self, request: Request) -> Response:
        found = tallies.since(clock.roughly(), self.read()["days"])
        return Response({"results": [as_json.Tally.of(one) for one in found]})


class ActList(HousekeepingView):
    @operation("Who did what, newest first", page_of(as_json.Act), query=ActFilterSerializer)
    def get(self, request: Request) -> Response:
        pages = ActPages()
        page = pages.paginate_queryset(acts.history(self.read()), request) or []
        return pages.get_paginated_response([as_json.Act.of(act) for act in page])


class ConsumerList(HousekeepingView):
    """Consumers that are alive, or were alive in the last 24 hours, and what each of their workers does."""

    @operation("Consumers, and what each of their workers does", as_json.ConsumerList)
    def get(self, request: Request) -> Response:
        return Response(as_json.ConsumerList.of(workers.read(clock.roughly())))


def etag_but_for_age(body: dict[str, Any]) -> dict[str, str]:
    """A weak ETag that does not change if a figure is measured again with the same result."""
    text = json.dumps(body, sort_keys=True, default=str)
    without_age = re.sub(r'"measured_at": "[^"]*"', "", text)
    return {"ETag": f'W/"{hashlib.sha256(without_age.encode()).hexdigest()[:32]}"'}
