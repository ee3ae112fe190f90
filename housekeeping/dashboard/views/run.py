"""The page of a run, its log and receipts, and acts on it."""

import uuid
from functools import partial

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping import rights
from housekeeping.dashboard import acting, polls, questions
from housekeeping.dashboard.acting import actor, asked_or_done
from housekeeping.dashboard.guards import may_configure, may_operate, may_view, sign_in_confirmed, signed_in
from housekeeping.dashboard.pages import run as run_page
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.declared.registry import SCHEDULES
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.reading import receipts
from housekeeping.runs import control


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def run_detail(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    now = clock.roughly()
    tag = polls.tag(request, run_page.fingerprint(pk, now))
    if polls.is_unchanged(request, tag):
        return HttpResponse(status=304)
    beside = Run.objects.select_related("consumer", "plan_of", "undo_of", "retry_of")
    run = get_object_or_404(beside, pk=pk)
    page = run_page.read(run, rights.of(request.user), now)
    template = "_run.html" if polls.is_fragment(request) else "run_detail.html"
    facts = {"page": page, "run": run, "is_schedule_known": run.schedule in SCHEDULES}
    return polls.tagged(request, template, facts, tag)


@require_safe
@signed_in
@may_view
def run_log(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """All log lines of a run, as plain text."""
    run = get_object_or_404(Run, pk=pk)
    lines = run.log_lines.values_list("logged_at", "level", "text")
    # A text with line breaks must not look like several lines of the log.
    text = "".join(
        f"{timezone.localtime(at).isoformat(timespec='milliseconds')} {level:<8} {_one_line(text)}\n"
        for at, level, text in lines.iterator()
    )
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def _one_line(text: str) -> str:
    return "\n    ".join(text.splitlines())


@asked_or_done
@signed_in
@may_operate
def carry_out(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Run a plan: delete exactly the rows that the dry run showed."""
    plan = get_object_or_404(Run, pk=pk)

    def start() -> Run:
        return control.request(plan.task, send=queue.send, plan=plan, by=actor(request))

    question = partial(questions.before_plan, plan)
    return acting.ask_first(request, question, start, "housekeeping:run", plan.task, plan.is_plan)


@require_safe
@signed_in
@may_view
def receipt_json(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    document = receipts.document(get_object_or_404(Run, pk=pk))
    answer = JsonResponse(document, json_dumps_params={"indent": 2, "ensure_ascii": False})
    return _as_file(answer, f"receipt-{pk}.json")


@require_safe
@signed_in
@may_view
def receipt_csv(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    lines = receipts.as_csv(get_object_or_404(Run, pk=pk))
    return _as_file(HttpResponse(lines, content_type="text/csv; charset=utf-8"), f"receipt-{pk}.csv")


def _as_file(answer: HttpResponse, name: str) -> HttpResponse:
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_POST
@signed_in
@may_operate
def cancel_run(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    return acting.answer(
        request, lambda: control.cancel(run, by=actor(request)), "housekeeping:run", run.task
    )


@asked_or_done
@signed_in
@may_operate
def retry_run(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run.objects.select_related("plan_of"), pk=pk)
    if not rights.of(request.user).may("retry", run):
        raise PermissionDenied
    return _retry_undo(request, run) if run.undo_of_id else _retry(request, run)


def _retry(request: HtmxHttpRequest, run: Run) -> HttpResponse:
    def start() -> Run:
        return control.retry(run, send=queue.send, by=actor(request))

    question = partial(questions.before_retries, [run])
    may_delete = run.can_be_retried and questions.may_delete(run)
    return acting.ask_first(request, question, start, "housekeeping:run", run.task, may_delete)


_retry_undo = sign_in_confirmed(_retry)


@asked_or_done
@signed_in
@may_operate
@sign_in_confirmed
def approve_run(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)

    def start() -> Run:
        return control.approve(run, send=queue.send, by=actor(request))

    question = partial(questions.before_plan, run)
    return acting.ask_first(
        request, question, start, "housekeeping:run", run.task, run.status == Run.Status.HELD
    )


@require_POST
@signed_in
@may_configure
@sign_in_confirmed
def undo_run(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    asked = {name: name in request.GET for name in ("unverified", "intact_only")}

    def start() -> Run:
        return control.undo(run, send=queue.send, by=actor(request), **asked)

    return acting.answer(request, start, "housekeeping:run", run.task)
