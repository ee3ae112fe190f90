"""Runs: trigger, cancel, retry, approve, undo."""

import re
import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping import rights
from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description import shapes
from housekeeping.api.description.schema import location, request_example
from housekeeping.api.rules import errors, problems
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
PROBLEMS_OF_A_RUN = [409, 422, 500]


class Trigger(HousekeepingView):
    @operation(
        "Run a task",
        WAITED,
        right=MayOperate,
        body=TriggerSerializer,
        opens_run=True,
        also=PROBLEMS_OF_A_RUN,
        parameters=[IDEMPOTENCY_KEY, REPLAYED, LOCATION],
        examples=[
            request_example("Everything", {"task": "all"}),
            request_example("Only say what would go", {"task": "conversations", "dry_run": True}),
            request_example("Don't wait", {"task": "stats", "wait": 0}),
        ],
    )
    def post(self, request: Request) -> Response:
        asked, key = self.read(), _idempotency_key(request)
        try:
            run = control.request(
                asked["task"],
                send=queue.send,
                dry_run=asked["dry_run"],
                plan=_plan(asked.get("plan")),
                by=self.actor,
                idempotency_key=key,
            )
        except AlreadyRequested as repeated:
            answer = standing(request, control.wait(repeated.run, asked["wait"]))
            answer["Idempotency-Replayed"] = "true"
            return answer
        return standing(request, control.wait(run, asked["wait"]))


class CancelRuns(HousekeepingView):
    @operation("Cancel several runs", shapes.several(shapes.Outcome), right=MayOperate, body=IdsSerializer)
    def post(self, request: Request) -> Response:
        cancelled = bulk.each(self.read()["ids"], lambda run: control.cancel(run, by=self.actor))
        return _outcomes(cancelled, status.HTTP_200_OK)


class RetryRuns(HousekeepingView):
    @operation(
        "Run again several runs that failed, were cancelled or were missed",
        shapes.several(shapes.Outcome),
        right=MayOperate,
        body=IdsSerializer,
        opens_run=True,
    )
    def post(self, request: Request) -> Response:
        retried = bulk.each(self.read()["ids"], lambda run: _retry(self, run))
        return _outcomes(retried, status.HTTP_202_ACCEPTED)


class CancelRun(HousekeepingView):
    @operation(
        "Cancel a run: at once if it waits, after its batch if it runs",
        shapes.Standing,
        right=MayOperate,
        also=[409],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        run = control.cancel(get_object_or_404(Run, pk=pk), by=self.actor)
        return Response({"message": words.message(run), "run": as_json.run(run)})


class RetryRun(HousekeepingView):
    @operation(
        "Run again what failed, was cancelled or was missed",
        WAITED,
        right=MayOperate,
        opens_run=True,
        also=PROBLEMS_OF_A_RUN,
        parameters=[LOCATION],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        return standing(request, _retry(self, get_object_or_404(Run, pk=pk)))


class ApproveRun(HousekeepingView):
    @operation(
        "Let a held run go on",
        WAITED,
        right=MayOperate,
        opens_run=True,
        also=PROBLEMS_OF_A_RUN,
        parameters=[LOCATION],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        run = get_object_or_404(Run, pk=pk)
        return standing(request, control.approve(run, send=queue.send, by=self.actor))


class UndoRun(HousekeepingView):
    @operation(
        "Put back all that a run has deleted",
        WAITED,
        right=MayConfigure,
        body=UndoSerializer,
        opens_run=True,
        also=PROBLEMS_OF_A_RUN,
        parameters=[LOCATION],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        asked = self.read()
        wait, run = asked.pop("wait"), get_object_or_404(Run, pk=pk)
        undo = control.undo(run, send=queue.send, by=self.actor, **asked)
        return standing(request, control.wait(undo, wait))


def standing(request: Request, run: Run) -> Response:
    """How the run stands: succeeded, failed, or to be looked for at its address."""
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


def _retry(view: HousekeepingView, run: Run) -> Run:
    rights.check_retry(view.request.user, run)
    return control.retry(run, send=queue.send, by=view.actor)


def _outcomes(tried: bulk.Summary, done: int) -> Response:
    """One answer for each run, as if it had been asked for alone. ``done``: the status of a success."""
    return Response({"results": [_outcome(one, done) for one in tried.answers]})


def _outcome(one: bulk.Answer, done: int) -> dict[str, Any]:
    if one.done:
        body = {"message": words.message(one.done), "run": as_json.run(one.done)}
        return {"id": str(one.pk), "status": done, **body}
    if one.error:
        code, body = errors.translate(one.error)
        return {"id": str(one.pk), "status": code, **body}
    return {"id": str(one.pk), "status": 404, **problems.body(one.reason, "not_found")}


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
