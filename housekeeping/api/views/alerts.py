"""Alerts: what is wrong, who is told, and what was sent."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping import rights
from housekeeping.api.alert_serializers import (
    AlertFilterSerializer,
    ChannelChangeSerializer,
    ChannelSerializer,
    IncidentFilterSerializer,
)
from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.schema import location
from housekeeping.api.description.shapes import page_of, several
from housekeeping.api.rules.pages import NumberedPages
from housekeeping.api.rules.permissions import MayConfigure
from housekeeping.journal.channels import get, known
from housekeeping.models import Channel
from housekeeping.reading import as_json
from housekeeping.reading.alerting import alerts
from housekeeping.steering import channels

ON_CALL = {"name": "on-call", "kind": "mail", "address": "on-call@example.com"}


class IncidentList(HousekeepingView):
    """Incidents, newest first."""

    @operation("Incidents, newest first", page_of(as_json.Incident), query=IncidentFilterSerializer)
    def get(self, request: Request) -> Response:
        pages = NumberedPages()
        page = pages.paginate_queryset(alerts.incidents(self.read()), request) or []
        return pages.get_paginated_response([as_json.Incident.of(one) for one in page])


class AlertList(HousekeepingView):
    """Messages about incidents, newest first: to whom, and with which answer."""

    @operation("Messages about incidents, newest first", page_of(as_json.Alert), query=AlertFilterSerializer)
    def get(self, request: Request) -> Response:
        pages = NumberedPages()
        page = pages.paginate_queryset(alerts.sent(self.read()), request) or []
        return pages.get_paginated_response([as_json.Alert.of(one) for one in page])


class _Channels(HousekeepingView):
    def told(self, channel: Channel) -> dict[str, Any]:
        return as_json.channel(channel, may_configure=rights.of(self.request.user).configure)


class ChannelList(_Channels):
    """The channels; POST adds one."""

    @operation("The channels", several(as_json.Channel))
    def get(self, request: Request) -> Response:
        return Response({"results": [self.told(channel) for channel in known()]})

    @operation(
        "Add a channel",
        {201: as_json.Channel},
        right=MayConfigure,
        body=ChannelSerializer,
        parameters=[location("The address of the channel.", 201)],
        examples=lambda: {
            "A mail": ON_CALL,
            "A webhook, for two kinds": {
                "name": "pager", "kind": "webhook", "address": "https://alerts.example.com/in",
                "kinds": ["failed", "consumer"],
            },
        },
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        facts = self.told(channels.add(**self.read(), by=self.actor))
        return Response(facts, status=status.HTTP_201_CREATED, headers={"Location": facts["url"]})


class ChannelDetail(_Channels):
    """A channel; PATCH changes it, DELETE removes it."""

    changeable = ("address", "kinds", "tasks", "on", "reminders", "changed_at")

    @operation("A channel", as_json.Channel)
    def get(self, request: Request, name: str) -> Response:
        return Response(self.told(get(name)))

    @operation(
        "Change a channel",
        as_json.Channel,
        right=MayConfigure,
        body=ChannelChangeSerializer,
        also=[409],
        examples=lambda: {"Switch it off": {"on": False}, "A new secret": {"new_secret": True}},
    )
    def patch(self, request: Request, name: str) -> Response:
        asked = self.read()
        has_new_secret = asked.pop("new_secret", False)
        channel = channels.change(name, **asked, by=self.actor) if asked else get(name)
        return Response(self.told(channels.make_secret(name, by=self.actor) if has_new_secret else channel))

    @operation(
        "Remove a channel",
        {204: OpenApiResponse(description="The channel is removed; what waited for it is not sent.")},
        right=MayConfigure,
        also=[409],
    )
    def delete(self, request: Request, name: str) -> Response:
        channels.remove(name, by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TestChannel(HousekeepingView):
    """POST sends a test message through a channel."""

    @operation("Send a test message", {202: as_json.Tested}, right=MayConfigure, also=[409])
    def post(self, request: Request, name: str) -> Response:
        facts = as_json.Tested.of(None, sent=channels.send_test(name, by=self.actor))
        return Response(facts, status=status.HTTP_202_ACCEPTED)
