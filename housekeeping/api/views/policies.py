"""Policies: look at them, change their retentions, preview their purges."""

from functools import partial
from typing import Any

from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.asked import actor, read
from housekeeping.api.description import shapes
from housekeeping.api.description.schema import described, request_example
from housekeeping.api.rules.permissions import MayConfigure, MaySteer, MayView, check_right
from housekeeping.api.serializers import PolicySerializer, PreviewSerializer
from housekeeping.api.views.figures import etag_but_for_age
from housekeeping.database import clock
from housekeeping.declared import registry
from housekeeping.reading import as_json, policies
from housekeeping.steering import retentions


@described("Every policy, and what is past due by it", shapes.several(shapes.Policy))
@api_view(["GET"])
@permission_classes([MayView])
def policy_list(request: Request) -> Response:
    body = {"results": [as_json.policy(card) for card in policies.cards()]}
    return Response(body, headers=etag_but_for_age(body))


@described("A policy", shapes.Policy, methods=["GET"])
@described(
    "Change a policy's retention, or ask what that would hit",
    shapes.ChangedPolicy,
    asked=PolicySerializer,
    methods=["PATCH"],
    examples=[
        request_example("60 days", {"retention_days": 60}),
        request_example("Only ask", {"retention_days": 10, "dry_run": True}),
        request_example("As declared", {"reset": True}),
    ],
)
@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def policy_detail(request: Request, pk: str) -> Response:
    """A policy; PATCH changes its retention, or with ``dry_run`` says what that would hit."""
    found = registry.find_policy(pk)
    answer: dict[str, Any] = {}
    if request.method == "PATCH":
        check_right(request, MayConfigure)
        asked = read(PolicySerializer, request.data)
        days = asked.get("retention_days") or retentions.declared_days(found)
        effect = retentions.effect(found, days, clock.roughly())
        if not asked["dry_run"]:
            change = retentions.reset if asked.get("reset") else partial(retentions.change, days=days)
            change(pk, by=actor(request))
        answer["effect"] = {
            "retention_days": effect.days,
            "rows": effect.rows,
            "rows_before": effect.rows_now,
            "saved": not asked["dry_run"],
        }
    return Response(as_json.policy(policies.card(pk)) | answer)


@described("What a purge would delete now", shapes.Preview, parameters=[PreviewSerializer])
@api_view(["GET"])
@permission_classes([MayView])
def policy_preview(request: Request, pk: str) -> Response:
    """What a purge would delete now; with ``?retention_days=``, by that retention."""
    days = read(PreviewSerializer, request.query_params.dict()).get("retention_days")
    return Response(policies.preview(pk, clock.roughly(), retention_days=days))
