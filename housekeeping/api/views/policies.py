"""Policies: list them, change their retentions, preview their purges."""

from functools import partial

from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.shapes import several
from housekeeping.api.rules.permissions import MayConfigure
from housekeeping.api.serializers import PolicySerializer, PreviewSerializer
from housekeeping.api.views.figures import etag_but_for_age
from housekeeping.database import clock
from housekeeping.declared import registry
from housekeeping.reading import as_json, policies
from housekeeping.steering import retentions


class PolicyList(HousekeepingView):
    @operation("Every policy, with its rows that are past due", several(as_json.Policy))
    def get(self, request: Request) -> Response:
        body = {"results": [as_json.Policy.of(card) for card in policies.cards()]}
        return Response(body, headers=etag_but_for_age(body))


class PolicyDetail(HousekeepingView):
    """A policy; PATCH changes its retention, or with ``dry_run`` answers what that would delete."""

    changeable = ("retention_days", "changed")

    @operation("A policy", as_json.Policy)
    def get(self, request: Request, pk: str) -> Response:
        return Response(as_json.Policy.of(policies.card(pk)))

    @operation(
        "Change a policy's retention, or find out what that would delete",
        as_json.ChangedPolicy,
        right=MayConfigure,
        body=PolicySerializer,
        examples=lambda: {
            "60 days": {"retention_days": 60},
            "Only ask": {"retention_days": 10, "dry_run": True},
            "As declared": {"reset": True},
        },
        also=[409],
    )
    def patch(self, request: Request, pk: str) -> Response:
        found = registry.find_policy(pk)
        asked = self.read()
        typed = asked.get("retention_days")
        days = retentions.parse_for(found, typed) if typed else retentions.declared_days(found)
        effect = retentions.effect(found, days, clock.roughly())
        if not asked["dry_run"]:
            self.confirm_sign_in()
            change = partial(retentions.change, days=days) if typed else retentions.reset
            change(pk, by=self.actor)
        told = as_json.Effect.of(effect, saved=not asked["dry_run"])
        return Response(as_json.ChangedPolicy.of(policies.card(pk), effect=told))


class PolicyPreview(HousekeepingView):
    """What a purge would delete now; with ``?retention_days=``, by that retention."""

    @operation("What a purge would delete now", as_json.Preview, query=PreviewSerializer, also=[409])
    def get(self, request: Request, pk: str) -> Response:
        days = self.read().get("retention_days")
        return Response(as_json.Preview.of(policies.preview(pk, clock.roughly(), retention_days=days)))
