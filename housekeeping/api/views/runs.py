"""Runs: look at them, at their logs, at their receipts."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.decorators import api_view, permission_classes, renderer_classes
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.asked import read
from housekeeping.api.description import shapes
from housekeeping.api.description.schema import described
from housekeeping.api.rules.pages import RunPages
from housekeeping.api.rules.permissions import MayView
from housekeeping.api.serializers import LogSerializer, RunFilterSerializer
from housekeeping.models import Run
from housekeeping.reading import as_json, receipts, search

MOST_LINES = 1_000  # of a run's log, in one answer


class CSVRenderer(BaseRenderer):
    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> Any:
        return data


@described("A run and its result", shapes.Run)
@api_view(["GET"])
@permission_classes([MayView])
def run_result(request: Request, pk: uuid.UUID) -> Response:
    run = get_object_or_404(Run, pk=pk)
    return Response(as_json.run(run, as_json.words(run)))


@described("A run with all that its page says", shapes.RunInFull)
@api_view(["GET"])
@permission_classes([MayView])
def run_detail(request: Request, pk: uuid.UUID) -> Response:
    return Response(as_json.run_in_full(get_object_or_404(Run, pk=pk)))


@described("Runs, newest first", shapes.page_of(shapes.Run), parameters=[RunFilterSerializer])
@api_view(["GET"])
@permission_classes([MayView])
def run_list(request: Request) -> Response:
    asked = read(RunFilterSerializer, request.query_params.dict())
    pages = RunPages()
    page = pages.paginate_queryset(search.runs(asked).select_related("consumer"), request) or []
    words = as_json.words(*page)
    return pages.get_paginated_response([as_json.run(run, words) for run in page])


@described(
    f"What was logged while a run was carried out, {MOST_LINES:,} lines at most",
    shapes.several(shapes.LogLine),
    parameters=[LogSerializer],
)
@api_view(["GET"])
@permission_classes([MayView])
def run_log(request: Request, pk: uuid.UUID) -> Response:
    after = read(LogSerializer, request.query_params.dict()).get("after", 0)
    lines = get_object_or_404(Run, pk=pk).log_lines.filter(pk__gt=after)[:MOST_LINES]
    return Response({"results": [as_json.log_line(line) for line in lines]})


@described("What a run deleted, by which policy, who caused it", shapes.Receipt)
@api_view(["GET"])
@permission_classes([MayView])
def receipt(request: Request, pk: uuid.UUID) -> Response:
    return Response(receipts.document(get_object_or_404(Run, pk=pk)))


@described(
    "The receipt as a table",
    {(200, "text/csv"): OpenApiTypes.STR},
    parameters=[
        OpenApiParameter("Content-Disposition", str, OpenApiParameter.HEADER, required=True, response=[200])
    ],
)
@api_view(["GET"])
@permission_classes([MayView])
@renderer_classes([CSVRenderer, JSONRenderer])
def receipt_csv(request: Request, pk: uuid.UUID) -> Response:
    run = get_object_or_404(Run, pk=pk)
    name = f'attachment; filename="receipt-{run.pk}.csv"'
    # A file: what a browser keeps of it would outlive the sign-out.
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return Response(receipts.as_csv(run), headers=headers)
