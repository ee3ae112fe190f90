"""Erasures: preview, begin and look at them, with their certificates."""

import uuid

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.schema import location
from housekeeping.api.description.shapes import page_of, serializer_of
from housekeeping.api.rules.pages import RunPages
from housekeeping.api.rules.permissions import MayConfigure
from housekeeping.api.serializers import BooleanField, PageSerializer, Strict, TextField
from housekeeping.erasure import people, requests
from housekeeping.models import Erasure
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json


class ErasureSerializer(Strict):
    """Whom to erase."""

    account = TextField(max_length=254, help_text="The account's name, mail address or key (`key:10`).")
    typed = TextField(
        max_length=254,
        required=False,
        default="",
        allow_blank=True,
        help_text="The account's name once more, unless dry_run.",
    )
    dry_run = BooleanField(
        required=False, default=False, help_text="true: count what would be deleted, and change nothing."
    )


class ErasureList(HousekeepingView):
    """The erasures, newest first; POST begins one."""

    @operation("Erasures, newest first", page_of(as_json.Erasure), query=PageSerializer)
    def get(self, request: Request) -> Response:
        pages = RunPages()
        self.read()
        page = pages.paginate_queryset(Erasure.objects.all(), request) or []
        return pages.get_paginated_response([as_json.Erasure.of(one) for one in page])

    @operation(
        "Erase a person",
        {
            200: OpenApiResponse(serializer_of(as_json.ErasurePreview), "What it would delete (dry_run)."),
            202: OpenApiResponse(
                serializer_of(as_json.Erasure), "It is requested: a consumer carries it out."
            ),
        },
        right=MayConfigure,
        body=ErasureSerializer,
        opens_run=True,
        also=[409],
        parameters=[location("The address of the erasure.", 202)],
        examples=lambda: {
            "Count what would be deleted": {"account": "ada@example.com", "dry_run": True},
            "Erase": {"account": "ada@example.com", "typed": "ada"},
        },
    )
    def post(self, request: Request) -> Response:
        asked = self.read()
        if not asked["dry_run"]:
            self.confirm_sign_in()
        person = people.find(asked["account"])
        requests.check_right(person, is_superuser=bool(getattr(request.user, "is_superuser", False)))
        if asked["dry_run"]:
            return Response(as_json.ErasurePreview.of(requests.preview(person)))
        requests.check_typed(person, asked["typed"])
        erasure = requests.request(person, send=queue.send, by=self.actor)
        facts = as_json.Erasure.of(erasure)
        return Response(facts, status=status.HTTP_202_ACCEPTED, headers={"Location": facts["url"]})


class ErasureDetail(HousekeepingView):
    @operation("An erasure, with its certificate", as_json.Erasure)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(as_json.Erasure.of(get_object_or_404(Erasure, pk=pk)))
