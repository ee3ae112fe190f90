"""Runs: trigger, cancel, retry, approve, undo."""

import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping import rights
from housekeeping.api.base import Handler, HousekeepingView, operation
from housekeeping.api.description.examples import trigger_bodies
from housekeeping.api.description.schema import location
from housekeeping.api.description.shapes import serializer_of, several
from housekeeping.api.rules import errors, problems
from housekeeping.api.rules.permissions import MayConfigure, MayOperate, MayView
from housekeeping.api.serializers import IdsSerializer, TriggerSerializer, UndoSerializer
from housekeeping.exceptions import AlreadyRequested
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json, words
from housekeeping.reading.as_json.fields import GIVEN, Id, Object, One, Text, Whole
from housekeeping.runs import control
from housekeeping.steering import bulk

LONGEST_KEY = Run._meta.get_field("idempotency_key").max_length or 0
KEY_RULE = f"1 to {LONGEST_KEY} printable ASCII characters."
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=f"{KEY_RULE} A repeated request with the same key opens no second run.",
    pattern=f"^[!-~]([ -~]{{0,{LONGEST_KEY - 2}}}[!-~])?$",
)
REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    description="The run was opened by an earlier request with this key.",
    response=[200, 202, 409, 500],
)
LOCATION = location("The address of the run.", 202)
WAITED = {
    200: OpenApiResponse(serializer_of(as_json.Ended), "The run has succeeded within the wait."),
    202: OpenApiResponse(serializer_of(as_json.Standing), "It has not ended yet, or is held for approval."),
}
# The state does not allow it; the run has failed.
PROBLEMS_OF_A_RUN = (409, 500)


def opens_run(
    summary: str, *, also: Sequence[int] = (), parameters: Sequence[OpenApiParameter] = (), **asked: Any
) -> Callable[[Handler], Handler]:
    """An :func:`operation` that opens a run and answers with its state."""
    also, described = (*PROBLEMS_OF_A_RUN, *also), [*parameters, LOCATION]
    return operation(summary, WAITED, opens_run=True, also=also, parameters=described, **asked)


class Outcome(Object[bulk.Answer]):
    """The outcome for one of several runs, as if it had been requested alone."""

    id = Id("pk")
    status = Whole(
        GIVEN, help="The status of a request for this run alone: 200, 202, 400, 403, 404, 409 or 503."
    )
    message = Text(GIVEN)
    code = Text(GIVEN, optional=True)
    run = One(as_json.Run, GIVEN, optional=True)


class Trigger(HousekeepingView):
    @opens_run(
        "Run a task",
        right=MayOperate,
        body=TriggerSerializer,
        also=[422],
        parameters=[IDEMPOTENCY_KEY, REPLAYED],
        examples=trigger_bodies,
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
    @operation("Cancel several runs", several(Outcome), right=MayOperate, body=IdsSerializer)
    def post(self, request: Request) -> Response:
        cancelled = bulk.each(self.read()["ids"], lambda run: control.cancel(run, by=self.actor))
        return _outcomes(cancelled, status.HTTP_200_OK)


class RetryRuns(HousekeepingView):
    @operation(
        "Run again several runs that failed, were cancelled or were missed",
        several(Outcome),
        right=MayOperate,
        body=IdsSerializer,
        opens_run=True,
    )
    def post(self, request: Request) -> Response:
        ids = self.read()["ids"]
        if Run.objects.filter(pk__in=ids).exclude(undo_of=None).exists():
            self.confirm_sign_in()  # before any of them is retried
        retried = bulk.each(ids, lambda run: _retry(self, run))
        return _outcomes(retried, status.HTTP_202_ACCEPTED)


class CancelRun(HousekeepingView):
    @operation(
        "Cancel a run: at once if it is waiting, after its batch if it is running",
        as_json.Standing,
        right=MayOperate,
        also=[409],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        run = control.cancel(get_object_or_404(Run, pk=pk), by=self.actor)
        return Response(as_json.Standing.of(run))


class RetryRun(HousekeepingView):
    # 400: a dry run of a task that no longer has dry runs.
    @opens_run("Run again a run that failed, was cancelled or was missed", right=MayOperate, also=[400])
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        return standing(request, _retry(self, get_object_or_404(Run, pk=pk)))


class ApproveRun(HousekeepingView):
    @opens_run("Let a held run continue", right=MayOperate)
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        run = get_object_or_404(Run, pk=pk)
        self.confirm_sign_in()
        return standing(request, control.approve(run, send=queue.send, by=self.actor))


class UndoRun(HousekeepingView):
    @opens_run("Restore everything that a run has deleted", right=MayConfigure, body=UndoSerializer)
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        asked = self.read()
        wait, run = asked.pop("wait"), get_object_or_404(Run, pk=pk)
        self.confirm_sign_in()
        undo = control.undo(run, send=queue.send, by=self.actor, **asked)
        return standing(request, control.wait(undo, wait))


def standing(request: Request, run: Run) -> Response:
    """The state of the run: succeeded, failed, cancelled, or 202 with its address."""
    may_view = request.user.has_perm(MayView.right)
    facts = as_json.run(run, as_json.texts(run)) if may_view else as_json.run(run)
    if run.status == Run.Status.SUCCEEDED:
        return Response(as_json.Ended.of(run, run=facts))
    if run.status == Run.Status.FAILED:
        return _stopped(run, facts, status.HTTP_500_INTERNAL_SERVER_ERROR, code="run_failed")
    if run.status == Run.Status.CANCELLED:
        return _stopped(run, facts, status.HTTP_409_CONFLICT, code="run_cancelled")
    body = as_json.Standing.of(run, run=facts)
    return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": facts["url"]})


def _stopped(run: Run, facts: dict[str, Any], status: int, *, code: str) -> Response:
    message = words.message(run)
    body = problems.body(message, code, error=run.error or message, result=run.result, run=facts)
    return problems.response(body, status)


def _retry(view: HousekeepingView, run: Run) -> Run:
    rights.check_retry(view.request.user, run)
    if run.undo_of_id:
        view.confirm_sign_in()
    return control.retry(run, send=queue.send, by=view.actor)


def _outcomes(tried: bulk.Summary, done: int) -> Response:
    """An outcome for each run, as if it had been requested alone. ``done``: the status of a success."""
    return Response({"results": [_outcome(one, done) for one in tried.answers]})


def _outcome(one: bulk.Answer, done: int) -> dict[str, Any]:
    if one.done:
        return Outcome.of(one, status=done, **as_json.Standing.of(one.done))
    if one.error:
        code, body = errors.translate(one.error)
        return Outcome.of(one, status=code, **body)
    return Outcome.of(one, status=status.HTTP_404_NOT_FOUND, **problems.body(one.reason, "not_found"))


def _idempotency_key(request: Request) -> str:
    """Empty if the request has none."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not re.fullmatch(f"[ -~]{{1,{LONGEST_KEY}}}", key):
        raise ValidationError({"Idempotency-Key": [f"Write {KEY_RULE}"]})
    return key or ""


def _plan(pk: uuid.UUID | None) -> Run | None:
    """Raises ValidationError if there is no such run."""
    if pk is None:
        return None
    plan = Run.objects.filter(pk=pk).first()
    if plan is None:
        raise ValidationError({"plan": [f"There is no run {pk}; name a dry run that has ended."]})
    return plan
