"""The JSON API: parse, call one function of the core, answer."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, timedelta
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError as BadValue
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import status
from rest_framework.decorators import api_view, permission_classes, renderer_classes, throttle_classes
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping import rights
from housekeeping.api import errors, problems, shapes, throttles
from housekeeping.api.permissions import MayConfigure, MayOperate, MaySteer, MayView, check_right
from housekeeping.api.schema import described, location, request_example
from housekeeping.api.serializers import (
    ActFilterSerializer,
    DaysSerializer,
    FireTimesSerializer,
    IdsSerializer,
    LogSerializer,
    PauseSerializer,
    PolicySerializer,
    PreviewSerializer,
    RunFilterSerializer,
    ScheduleSerializer,
    Strict,
    TriggerSerializer,
    UndoSerializer,
    WaitSerializer,
)
from housekeeping.database import clock
from housekeeping.declared import registry
from housekeeping.declared.triggers import parse
from housekeeping.exceptions import AlreadyRequested
from housekeeping.journal import acts, tallies
from housekeeping.journal.acts import Actor
from housekeeping.models import Consumer, Run, Snapshot
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json, gauges, overview, policies, receipts, search
from housekeeping.runs import control, schedules
from housekeeping.steering import bulk, retentions

MOST_LINES = 1_000  # of a run's log, in one answer

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 100 printable ASCII characters. Repeated with the same key, it opens no second run.",
    pattern="^[!-~]([ -~]{0,98}[!-~])?$",
)
REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    description="The run was opened by an earlier request with this key.",
    response=[200, 202, 409, 500],
)
LOCATION = location("Where to look for the end of the run.", 202)
WAITED = {
    200: OpenApiResponse(shapes.Ended, "The run has succeeded within the wait."),
    202: OpenApiResponse(shapes.Standing, "It has not ended yet, or is held for approval."),
}


BAD_CURSOR = "This is no cursor of ours: follow next and previous."


class _Pages(CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, *args: Any, **options: Any) -> Any:
        """Raises ValidationError for a cursor that was made up, not taken from a page."""
        try:
            return super().paginate_queryset(*args, **options)
        except (NotFound, BadValue, ValueError, OverflowError):
            raise ValidationError({"cursor": [BAD_CURSOR]}) from None


class _PagesOfMoments(_Pages):
    def decode_cursor(self, request: Any) -> Any:
        """Raises NotFound for a place that is no moment with its offset, as ours are."""
        cursor: Any = super().decode_cursor(request)
        if cursor and cursor.position is not None:
            moment = parse_datetime(cursor.position)
            if moment is None or timezone.is_naive(moment):
                raise NotFound
            moment.astimezone(UTC)  # as the database keeps it: OverflowError beyond the calendar
        return cursor


class RunPages(_PagesOfMoments):
    ordering = ("-requested_at", "-id")


class ActPages(_PagesOfMoments):
    ordering = ("-done_at", "-id")


class CSVRenderer(BaseRenderer):
    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> Any:
        return data


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


@described(
    "Run a task",
    WAITED,
    asked=TriggerSerializer,
    also=[409, 422, 500],
    parameters=[IDEMPOTENCY_KEY, REPLAYED, LOCATION],
    examples=[
        request_example("Everything", {"task": "all"}),
        request_example("Only say what would go", {"task": "conversations", "dry_run": True}),
        request_example("Don't wait", {"task": "stats", "wait": 0}),
    ],
)
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def trigger(request: Request) -> Response:
    # A body that is no object names no task, and is told so.
    asked = _read(TriggerSerializer, request.data if isinstance(request.data, dict) else {})
    key = _idempotency_key(request)
    try:
        run = control.request(
            asked["task"],
            send=queue.send,
            dry_run=asked["dry_run"],
            plan=_plan(asked.get("plan")),
            by=_actor(request),
            idempotency_key=key,
        )
    except AlreadyRequested as repeated:
        answer = _answer(request, control.wait(repeated.run, asked["wait"]))
        answer["Idempotency-Replayed"] = "true"
        return answer
    return _answer(request, control.wait(run, asked["wait"]))


@described("The figures of the dashboard's first page", shapes.Overview)
@api_view(["GET"])
@permission_classes([MayView])
def overview_figures(request: Request) -> Response:
    body = as_json.overview(overview.overview(clock.roughly()))
    return Response(body, headers=_etag_but_for_age(body))


@described(
    "The kept statistics of the last days, oldest first",
    shapes.several(shapes.Snapshot),
    parameters=[DaysSerializer],
)
@api_view(["GET"])
@permission_classes([MayView])
def snapshot_list(request: Request) -> Response:
    days = _read(DaysSerializer, request.query_params.dict())["days"]
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
    days = _read(DaysSerializer, request.query_params.dict())["days"]
    return Response({"results": [as_json.tally(one) for one in tallies.since(clock.roughly(), days)]})


@described("Who did what, newest first", shapes.page_of(shapes.Act), parameters=[ActFilterSerializer])
@api_view(["GET"])
@permission_classes([MayView])
def act_list(request: Request) -> Response:
    asked = _read(ActFilterSerializer, request.query_params.dict())
    pages = ActPages()
    page = pages.paginate_queryset(acts.history(asked), request) or []
    return pages.get_paginated_response([as_json.act(act) for act in page])


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
    asked = _read(RunFilterSerializer, request.query_params.dict())
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
    after = _read(LogSerializer, request.query_params.dict()).get("after", 0)
    lines = get_object_or_404(Run, pk=pk).log_lines.filter(pk__gt=after)[:MOST_LINES]
    return Response({"results": [as_json.log_line(line) for line in lines]})


@described("Cancel several runs", shapes.several(shapes.Outcome), asked=IdsSerializer)
@api_view(["POST"])
@permission_classes([MayOperate])
def cancel_runs(request: Request) -> Response:
    return _each(request, lambda run: control.cancel(run, by=_actor(request)), status.HTTP_200_OK)


@described(
    "Run again several runs that failed, were cancelled or were missed",
    shapes.several(shapes.Outcome),
    asked=IdsSerializer,
)
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def retry_runs(request: Request) -> Response:
    return _each(request, lambda run: _retry(request, run), status.HTTP_202_ACCEPTED)


@described("Cancel a run: at once if it waits, after its batch if it runs", shapes.Standing, also=[409])
@api_view(["POST"])
@permission_classes([MayOperate])
def cancel_run(request: Request, pk: uuid.UUID) -> Response:
    run = control.cancel(get_object_or_404(Run, pk=pk), by=_actor(request))
    return Response({"message": overview.message(run), "run": as_json.run(run)})


@described(
    "Run again what failed, was cancelled or was missed", WAITED, also=[409, 500], parameters=[LOCATION]
)
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def retry_run(request: Request, pk: uuid.UUID) -> Response:
    return _answer(request, _retry(request, get_object_or_404(Run, pk=pk)))


@described("Let a held run go on", WAITED, also=[409, 500], parameters=[LOCATION])
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def approve_run(request: Request, pk: uuid.UUID) -> Response:
    return _answer(
        request, control.approve(get_object_or_404(Run, pk=pk), send=queue.send, by=_actor(request))
    )


@described(
    "Put back all that a run has deleted",
    WAITED,
    asked=UndoSerializer,
    also=[409, 500],
    parameters=[LOCATION],
)
@api_view(["POST"])
@permission_classes([MayConfigure])
@throttle_classes([throttles.Trigger])
def undo_run(request: Request, pk: uuid.UUID) -> Response:
    asked = _read(UndoSerializer, request.data)
    wait, run = asked.pop("wait"), get_object_or_404(Run, pk=pk)
    undo = control.undo(run, send=queue.send, by=_actor(request), **asked)
    return _answer(request, control.wait(undo, wait))


@described("Every schedule", shapes.several(shapes.Job), methods=["GET"])
@described(
    "Pause or resume all schedules",
    shapes.several(shapes.Job),
    asked=PauseSerializer,
    methods=["PATCH"],
    examples=[request_example("Pause", {"paused": True})],
)
@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def schedule_list(request: Request) -> Response:
    """Every schedule; PATCH ``{"paused": true}`` pauses all of them, and false resumes them."""
    if request.method == "PATCH":
        check_right(request, MayOperate)
        asked = _read(PauseSerializer, request.data)
        steer = schedules.pause_all if asked["paused"] else schedules.resume_all
        steer(by=_actor(request))
    now = clock.roughly()
    jobs = overview.scheduler_status(now).jobs
    return Response({"results": [as_json.schedule(job, now) for job in jobs]})


@described("A schedule", shapes.Job, methods=["GET"])
@described(
    "Pause a schedule, or change its trigger",
    shapes.Job,
    asked=ScheduleSerializer,
    methods=["PATCH"],
    examples=[
        request_example("Pause", {"paused": True}),
        request_example("At 2:00 AM", {"trigger": "0 2 * * *"}),
        request_example("Every six hours", {"trigger": "06:00:00"}),
        request_example("As declared", {"reset": True}),
    ],
)
@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def schedule_detail(request: Request, pk: str) -> Response:
    """A schedule; PATCH pauses it or changes its trigger, all that is asked for or nothing."""
    schedules.find(pk)
    if request.method == "PATCH":
        asked = _read(ScheduleSerializer, request.data)
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
    now = clock.roughly()
    [job] = [job for job in overview.scheduler_status(now).jobs if job.schedule.id == pk]
    return Response(as_json.schedule(job, now))


@described(
    "Run a schedule's task now, as a run of that schedule",
    WAITED,
    asked=WaitSerializer,
    also=[409, 500],
    parameters=[LOCATION],
)
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def run_schedule(request: Request, pk: str) -> Response:
    task = schedules.find(pk).schedule.task.name
    asked = _read(WaitSerializer, request.data)
    run = control.request(task, send=queue.send, schedule=pk, by=_actor(request))
    return _answer(request, control.wait(run, asked["wait"]))


@described("Every policy, and what is past due by it", shapes.several(shapes.Policy))
@api_view(["GET"])
@permission_classes([MayView])
def policy_list(request: Request) -> Response:
    body = {"results": [as_json.policy(card) for card in policies.cards()]}
    return Response(body, headers=_etag_but_for_age(body))


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
        asked = _read(PolicySerializer, request.data)
        days = asked.get("retention_days") or retentions.declared_days(found)
        effect = retentions.effect(found, days, clock.roughly())
        if not asked["dry_run"]:
            change = retentions.reset if asked.get("reset") else partial(retentions.change, days=days)
            change(pk, by=_actor(request))
        answer["effect"] = {
            "retention_days": effect.days,
            "rows": effect.rows,
            "rows_before": effect.rows_now,
            "saved": not asked["dry_run"],
        }
    return Response(as_json.policy(overview.policy(pk)) | answer)


@described("What a purge would delete now", shapes.Preview, parameters=[PreviewSerializer])
@api_view(["GET"])
@permission_classes([MayView])
def policy_preview(request: Request, pk: str) -> Response:
    """What a purge would delete now; with ``?retention_days=``, by that retention."""
    days = _read(PreviewSerializer, request.query_params.dict()).get("retention_days")
    return Response(overview.preview(pk, clock.roughly(), retention_days=days))


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


@described(
    "When a trigger would fire, before it is saved", shapes.FireTimes, parameters=[FireTimesSerializer]
)
@api_view(["GET"])
@permission_classes([MayView])
def fire_times(request: Request) -> Response:
    """When a trigger would fire: ``?trigger=0 2 * * *``, before it is saved."""
    trigger = parse(_read(FireTimesSerializer, request.query_params.dict())["trigger"])
    times = schedules.fire_times(trigger, clock.roughly())
    return Response({"trigger": str(trigger), "next_fire_times": [as_json.iso(moment) for moment in times]})


@described("Consumers that are alive, or were heard of in the last day", shapes.several(shapes.Consumer))
@api_view(["GET"])
@permission_classes([MayView])
def consumer_list(request: Request) -> Response:
    """Consumers that are alive, or were heard of in the last day."""
    now = clock.roughly()
    known = Consumer.objects.filter(last_heartbeat_at__gte=now - timedelta(days=1))
    return Response({"results": [as_json.consumer(row, alive=row.is_alive(now)) for row in known]})


def _read(kind: type[Strict], data: Any) -> dict[str, Any]:
    fields = kind(data=data)
    fields.is_valid(raise_exception=True)
    asked: dict[str, Any] = fields.validated_data
    return asked


def _each(request: Request, act: Callable[[Run], Run], done: int) -> Response:
    """Do to each run what is asked, and say of each what came of it, as if it were asked alone."""
    summary = bulk.each(_read(IdsSerializer, request.data)["ids"], act)
    return Response({"results": [_outcome(one, done) for one in summary.answers]})


def _outcome(one: bulk.Answer, done: int) -> dict[str, Any]:
    if one.done:
        body = {"message": overview.message(one.done), "run": as_json.run(one.done)}
        return {"id": str(one.pk), "status": done, **body}
    if one.error:
        code, body = errors.translate(one.error)
        return {"id": str(one.pk), "status": code, **body}
    return {"id": str(one.pk), "status": 404, **problems.body(one.reason, "not_found")}


def _retry(request: Request, run: Run) -> Run:
    rights.check_retry(request.user, run)
    return control.retry(run, send=queue.send, by=_actor(request))


def _etag_but_for_age(body: dict[str, Any]) -> dict[str, str]:
    """A weak ETag: a figure that was measured again and is the same is no news."""
    text = json.dumps(body, sort_keys=True, default=str)
    without_age = re.sub(r'"measured_at": "[^"]*"', "", text)
    return {"ETag": f'W/"{hashlib.sha256(without_age.encode()).hexdigest()[:32]}"'}


def _idempotency_key(request: Request) -> str:
    """Empty where there is none."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not re.fullmatch(r"[ -~]{1,100}", key):
        raise ValidationError({"Idempotency-Key": ["Write 1 to 100 printable ASCII characters."]})
    return key or ""


def _plan(pk: uuid.UUID | None) -> Run | None:
    """Raises ValidationError where there is no such run."""
    if pk is None:
        return None
    plan = Run.objects.filter(pk=pk).first()
    if plan is None:
        raise ValidationError({"plan": [f"There is no run {pk}; name a dry run that has ended."]})
    return plan


def _answer(request: Request, run: Run) -> Response:
    """How the run stands: done, failed, or to be looked for at its address."""
    body: dict[str, Any] = {"message": overview.message(run)}
    may_view = request.user.has_perm(MayView.right)
    facts = as_json.run(run, as_json.words(run)) if may_view else as_json.run(run)
    if run.status == Run.Status.SUCCEEDED:
        return Response(body | {"result": run.result, "run": facts})
    if run.status in (Run.Status.FAILED, Run.Status.CANCELLED):
        failed = run.status == Run.Status.FAILED
        body |= {"code": "run_failed" if failed else "run_cancelled"}
        body |= {"error": run.error or body["message"], "result": run.result, "run": facts}
        code = status.HTTP_500_INTERNAL_SERVER_ERROR if failed else status.HTTP_409_CONFLICT
        return Response(body, status=code)
    return Response(
        body | {"run": facts}, status=status.HTTP_202_ACCEPTED, headers={"Location": facts["url"]}
    )


def _actor(request: Request) -> Actor:
    return Actor(request.user.get_username(), f"API from {request.META.get('REMOTE_ADDR', 'unknown')}")
