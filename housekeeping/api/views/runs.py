"""Runs, with their logs and receipts."""

import uuid

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.shapes import page_of, several
from housekeeping.api.rules.pages import RunPages
from housekeeping.api.rules.renderers import CSVRenderer, PlainJSONRenderer
from housekeeping.api.serializers import LogSerializer, RunFilterSerializer
from housekeeping.models import Run
from housekeeping.reading import as_json, receipts, search

MOST_LINES = 1_000  # of a run's log in one answer


class RunResult(HousekeepingView):
    @operation("A run and its result", as_json.Run)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        run = get_object_or_404(Run, pk=pk)
        return Response(as_json.run(run, as_json.texts(run)))


class RunDetail(HousekeepingView):
    @operation("A run with everything that its page shows", as_json.RunInFull)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(as_json.run_in_full(get_object_or_404(Run, pk=pk)))


class RunList(HousekeepingView):
    @operation("Runs, newest first", page_of(as_json.Run), query=RunFilterSerializer)
    def get(self, request: Request) -> Response:
        found, pages = search.runs(self.read()).select_related("consumer"), RunPages()
        page = pages.paginate_queryset(found, request) or []
        texts = as_json.texts(*page)
        return pages.get_paginated_response([as_json.run(run, texts) for run in page])


class RunLog(HousekeepingView):
    @operation(
        f"The log of a run, {MOST_LINES:,} lines at most",
        several(as_json.LogLine),
        query=LogSerializer,
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        after = self.read().get("after", 0)
        lines = get_object_or_404(Run, pk=pk).log_lines.filter(pk__gt=after)[:MOST_LINES]
        return Response({"results": [as_json.LogLine.of(line) for line in lines]})


class Receipt(HousekeepingView):
    @operation("What a run deleted, by which policy, and who caused it", receipts.Receipt)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(receipts.document(get_object_or_404(Run, pk=pk)))


class ReceiptCsv(HousekeepingView):
    renderer_classes = (CSVRenderer, PlainJSONRenderer)

    @operation(
        "The receipt as a table",
        {(200, "text/csv"): OpenApiTypes.STR},
        parameters=[
            OpenApiParameter(
                "Content-Disposition", str, OpenApiParameter.HEADER, required=True, response=[200]
            )
        ],
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        run = get_object_or_404(Run, pk=pk)
        name = f'attachment; filename="receipt-{run.pk}.csv"'
        # A browser's copy of the file would outlive the sign-out.
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return Response(receipts.as_csv(run), headers=headers)
