"""The JSON API: parse, call one function of the core, answer."""

import uuid
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import status
from rest_framework.decorators import api_view, permission_classes
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping import gauges, overview, receipts, registry, retentions, runs, schedules
from housekeeping.acts import Actor
from housekeeping.api.permissions import MayConfigure, MayOperate, MaySteer, MayView, check_right
from housekeeping.api.serializers import (
    PauseSerializer,
    PolicySerializer,
    PreviewSerializer,
    RunFilterSerializer,
    ScheduleSerializer,
    TriggerSerializer,
    WaitSerializer,
    consumer_as_json,
)
from housekeeping.models import Consumer, Run
from housekeeping.queue import tasks as queue
from housekeeping.triggers import parse


class RunPages(CursorPagination):
    ordering = ("-requested_at", "-id")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


@api_view(["GET"])
@permission_classes([MayView])
def scheduler_status(request: Request) -> Response:
    return Response(overview.status_as_json(overview.scheduler_status(timezone.now())))


@api_view(["GET"])
@permission_classes([MayView])
def statistics(request: Request) -> Response:
    return Response(gauges.read_now("statistics").value)


@api_view(["POST"])
@permission_classes([MayOperate])
def trigger(request: Request) -> Response:
    # A body that is no object names no task, and is told so.
    fields = TriggerSerializer(data=request.data if isinstance(request.data, dict) else {})
    fields.is_valid(raise_exception=True)
    asked = fields.validated_data
    run = runs.request(
        asked["task"],
        send=queue.send,
        dry_run=asked["dry_run"],
        plan=_plan(asked.get("plan")),
        by=_actor(request),
    )
    return _answer(runs.wait(run, asked["wait"]))


@api_view(["GET"])
@permission_classes([MayView])
def run_result(request: Request, pk: uuid.UUID) -> Response:
    return Response(overview.run_as_json(get_object_or_404(Run, pk=pk)))


@api_view(["GET"])
@permission_classes([MayView])
def run_list(request: Request) -> Response:
    fields = RunFilterSerializer(data=request.query_params.dict())
    fields.is_valid(raise_exception=True)
    pages = RunPages()
    page = pages.paginate_queryset(overview.history(fields.validated_data), request) or []
    return pages.get_paginated_response([overview.run_as_json(run) for run in page])


@api_view(["POST"])
@permission_classes([MayOperate])
def cancel_run(request: Request, pk: uuid.UUID) -> Response:
    run = runs.cancel(get_object_or_404(Run, pk=pk), by=_actor(request))
    return Response({"message": overview.message(run), "run": overview.run_as_json(run)})


@api_view(["POST"])
@permission_classes([MayOperate])
def retry_run(request: Request, pk: uuid.UUID) -> Response:
    run = runs.retry(get_object_or_404(Run, pk=pk), send=queue.send, by=_actor(request))
    return _answer(run)


@api_view(["POST"])
@permission_classes([MayOperate])
def approve_run(request: Request, pk: uuid.UUID) -> Response:
    return _answer(runs.approve(get_object_or_404(Run, pk=pk), send=queue.send, by=_actor(request)))


@api_view(["POST"])
@permission_classes([MayConfigure])
def undo_run(request: Request, pk: uuid.UUID) -> Response:
    fields = WaitSerializer(data=request.data)
    fields.is_valid(raise_exception=True)
    undo = runs.undo(get_object_or_404(Run, pk=pk), send=queue.send, by=_actor(request))
    return _answer(runs.wait(undo, fields.validated_data["wait"]))


@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def schedule_list(request: Request) -> Response:
    """Every schedule; PATCH ``{"paused": true}`` pauses all of them, and false resumes them."""
    if request.method == "PATCH":
        check_right(request, MayOperate)
        fields = PauseSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        steer = schedules.pause_all if fields.validated_data["paused"] else schedules.resume_all
        steer(by=_actor(request))
    now = timezone.now()
    jobs = overview.scheduler_status(now).jobs
    return Response({"results": [overview.job_as_json(job, now) for job in jobs]})


@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def schedule_detail(request: Request, pk: str) -> Response:
    """A schedule; PATCH pauses it or changes its trigger, all that is asked for or nothing."""
    schedules.find(pk)
    if request.method == "PATCH":
        fields = ScheduleSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        asked = fields.validated_data
        if "paused" in asked:
            check_right(request, MayOperate)
        if {"trigger", "reset"} & set(asked):
            check_right(request, MayConfigure)
        with transaction.atomic():
            if "paused" in asked:
                steer = schedules.pause if asked["paused"] else schedules.resume
                steer(pk, by=_actor(request))
            if "trigger" in asked:
                schedules.change(pk, asked["trigger"], by=_actor(request))
            if asked.get("reset"):
                schedules.reset(pk, by=_actor(request))
    now = timezone.now()
    [job] = [job for job in overview.scheduler_status(now).jobs if job.schedule.id == pk]
    return Response(overview.job_as_json(job, now))


@api_view(["GET"])
@permission_classes([MayView])
def policy_list(request: Request) -> Response:
    return Response({"results": [overview.policy_as_json(card) for card in overview.policies()]})


@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def policy_detail(request: Request, pk: str) -> Response:
    """A policy; PATCH changes its retention, or with ``dry_run`` says what that would hit."""
    found = registry.find_policy(pk)
    answer: dict[str, Any] = {}
    if request.method == "PATCH":
        check_right(request, MayConfigure)
        fields = PolicySerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        asked = fields.validated_data
        days = asked.get("retention_days") or retentions.declared_days(found)
        effect = retentions.effect(found, days, timezone.now())
        if not asked["dry_run"]:
            change = retentions.reset if asked.get("reset") else partial(retentions.change, days=days)
            change(pk, by=_actor(request))
        answer["effect"] = {
            "retention_days": effect.days,
            "rows": effect.rows,
            "rows_before": effect.rows_now,
            "saved": not asked["dry_run"],
        }
    return Response(overview.policy_as_json(overview.policy(pk)) | answer)


@api_view(["GET"])
@permission_classes([MayView])
def policy_preview(request: Request, pk: str) -> Response:
    """What a purge would delete now; with ``?retention_days=``, by that retention."""
    fields = PreviewSerializer(data=request.query_params.dict())
    fields.is_valid(raise_exception=True)
    days = fields.validated_data.get("retention_days")
    return Response(overview.preview(pk, timezone.now(), retention_days=days))


@api_view(["GET"])
@permission_classes([MayView])
def receipt(request: Request, pk: uuid.UUID) -> Response:
    return Response(receipts.document(get_object_or_404(Run, pk=pk)))


@api_view(["GET"])
@permission_classes([MayView])
def receipt_csv(request: Request, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    name = {"Content-Disposition": f'attachment; filename="receipt-{run.pk}.csv"'}
    return HttpResponse(receipts.as_csv(run), content_type="text/csv; charset=utf-8", headers=name)


@api_view(["GET"])
@permission_classes([MayView])
def fire_times(request: Request) -> Response:
    """When a trigger would fire: ``?trigger=0 2 * * *``, before it is saved."""
    trigger = parse(request.query_params.get("trigger", ""))
    times = schedules.fire_times(trigger, timezone.now())
    return Response({"trigger": str(trigger), "next_fire_times": [overview.iso(moment) for moment in times]})


@api_view(["GET"])
@permission_classes([MayView])
def consumer_list(request: Request) -> Response:
    """Consumers that are alive, or were heard of in the last day."""
    now = timezone.now()
    known = Consumer.objects.filter(last_heartbeat_at__gte=now - timedelta(days=1))
    return Response({"results": [consumer_as_json(row, alive=row.is_alive(now)) for row in known]})


def _plan(pk: uuid.UUID | None) -> Run | None:
    """Raises ValidationError where there is no such run."""
    if pk is None:
        return None
    plan = Run.objects.filter(pk=pk).first()
    if plan is None:
        raise ValidationError({"plan": [f"There is no run {pk}; name a dry run that has ended."]})
    return plan


def _answer(run: Run) -> Response:
    """How the run stands: done, failed, or to be looked for at its address."""
    body: dict[str, Any] = {"message": overview.message(run)}
    facts = overview.run_as_json(run)
    if run.status == Run.Status.SUCCEEDED:
        return Response(body | {"result": run.result, "run": facts})
    if run.status in (Run.Status.FAILED, Run.Status.CANCELLED):
        body |= {"error": run.error or body["message"], "result": run.result, "run": facts}
        failed = run.status == Run.Status.FAILED
        code = status.HTTP_500_INTERNAL_SERVER_ERROR if failed else status.HTTP_409_CONFLICT
        return Response(body, status=code)
    return Response(
        body | {"run": facts}, status=status.HTTP_202_ACCEPTED, headers={"Location": facts["url"]}
    )


def _actor(request: Request) -> Actor:
    return Actor(request.user.get_username(), f"API from {request.META.get('REMOTE_ADDR', 'unknown')}")
