"""Runs: trigger, cancel, retry, approve, undo."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import status
from rest_framework.decorators import api_view, permission_classes, throttle_classes
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping import rights
from housekeeping.api.asked import actor, read
from housekeeping.api.description import shapes
from housekeeping.api.description.schema import described, location, request_example
from housekeeping.api.rules import errors, problems, throttles
from housekeeping.api.rules.permissions import MayConfigure, MayOperate, MayView
from housekeeping.api.serializers import IdsSerializer, TriggerSerializer, UndoSerializer
from housekeeping.exceptions import AlreadyRequested
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json, words
from housekeeping.runs import control
from housekeeping.steering import bulk

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
    asked = read(TriggerSerializer, request.data if isinstance(request.data, dict) else {})
    key = _idempotency_key(request)
    try:
        run = control.request(
            asked["task"],
            send=queue.send,
            dry_run=asked["dry_run"],
            plan=_plan(asked.get("plan")),
            by=actor(request),
            idempotency_key=key,
        )
    except AlreadyRequested as repeated:
        answer = answer_with(request, control.wait(repeated.run, asked["wait"]))
        answer["Idempotency-Replayed"] = "true"
        return answer
    return answer_with(request, control.wait(run, asked["wait"]))


@described("Cancel several runs", shapes.several(shapes.Outcome), asked=IdsSerializer)
@api_view(["POST"])
@permission_classes([MayOperate])
def cancel_runs(request: Request) -> Response:
    return _each(request, lambda run: control.cancel(run, by=actor(request)), status.HTTP_200_OK)


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
    run = control.cancel(get_object_or_404(Run, pk=pk), by=actor(request))
    return Response({"message": words.message(run), "run": as_json.run(run)})


@described(
    "Run again what failed, was cancelled or was missed", WAITED, also=[409, 500], parameters=[LOCATION]
)
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def retry_run(request: Request, pk: uuid.UUID) -> Response:
    return answer_with(request, _retry(request, get_object_or_404(Run, pk=pk)))


@described("Let a held run go on", WAITED, also=[409, 500], parameters=[LOCATION])
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def approve_run(request: Request, pk: uuid.UUID) -> Response:
    return answer_with(
        request, control.approve(get_object_or_404(Run, pk=pk), send=queue.send, by=actor(request))
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
    asked = read(UndoSerializer, request.data)
    wait, run = asked.pop("wait"), get_object_or_404(Run, pk=pk)
    undo = control.undo(run, send=queue.send, by=actor(request), **asked)
    return answer_with(request, control.wait(undo, wait))


def _each(request: Request, act: Callable[[Run], Run], done: int) -> Response:
    """Do to each run what is asked, and say of each what came of it, as if it were asked alone."""
    summary = bulk.each(read(IdsSerializer, request.data)["ids"], act)
    return Response({"results": [_outcome(one, done) for one in summary.answers]})


def _outcome(one: bulk.Answer, done: int) -> dict[str, Any]:
    if one.done:
        body = {"message": words.message(one.done), "run": as_json.run(one.done)}
        return {"id": str(one.pk), "status": done, **body}
    if one.error:
        code, body = errors.translate(one.error)
        return {"id": str(one.pk), "status": code, **body}
    return {"id": str(one.pk), "status": 404, **problems.body(one.reason, "not_found")}


def _retry(request: Request, run: Run) -> Run:
    rights.check_retry(request.user, run)
    return control.retry(run, send=queue.send, by=actor(request))


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


def answer_with(request: Request, run: Run) -> Response:
    """How the run stands: done, failed, or to be looked for at its address."""
    body: dict[str, Any] = {"message": words.message(run)}
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
