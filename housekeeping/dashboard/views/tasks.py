"""The page of a task, and acts on it."""

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping import rights
from housekeeping.dashboard import acting, answers, polls, questions, unsent, wording
from housekeeping.dashboard.acting import actor, asked_or_done
from housekeeping.dashboard.guards import may_operate, may_view, signed_in
from housekeeping.dashboard.pages import task as task_page
from housekeeping.dashboard.parts import charts
from housekeeping.dashboard.parts.rows import rows
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.declared.registry import TASKS
from housekeeping.exceptions import HousekeepingError
from housekeeping.journal import tallies
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.reading.runs import newest, trends
from housekeeping.runs import acknowledgements, control, schedules
from housekeeping.steering import holds

PARTS = ("now", "runs")  # of the page, which refresh themselves
RECENT = 10
DAYS = 30  # of the charts


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def task_detail(request: HtmxHttpRequest, name: str) -> HttpResponse:
    """The task as a page; for htmx, what can be done about it, in the dialog."""
    _known(name)
    part = request.GET.get("part", "") if polls.is_fragment(request) else ""
    if part in PARTS:
        return _part(request, name, part)
    sent = unsent.take(request, "task-acknowledge", "task-pause", beside=f"task-{name}", name=name)
    return _page(request, name, unsent=sent)


def _page(request: HtmxHttpRequest, name: str, *, status: int = 200, **facts: Any) -> HttpResponse:
    now = clock.roughly()
    facts |= _now(request, name, now)
    if polls.is_fragment(request):
        return questions.in_dialog(render(request, "housekeeping/_task_dialog.html", facts, status=status))
    tag = polls.tag(request, task_page.fingerprint(name, now))
    facts |= {"rows": rows(_recent(name)), "tag": tag, **_trends(name, now)}
    return render(request, "housekeeping/task_detail.html", facts, status=status)


def _part(request: HtmxHttpRequest, name: str, part: str) -> HttpResponse:
    """A part of the page that refreshes itself; 304 if nothing has changed."""
    now = clock.roughly()
    tag = polls.tag(request, task_page.fingerprint(name, now))
    if polls.is_unchanged(request, tag):
        return HttpResponse(status=304)
    facts = _now(request, name, now)
    if part == "runs":
        facts["rows"] = rows(_recent(name))
    return polls.tagged(request, f"_task_{part}.html", facts, tag)


def _now(request: HtmxHttpRequest, name: str, now: datetime) -> dict[str, Any]:
    row = task_page.read(name, now)
    offers = task_page.offers(row, rights.of(request.user), now)
    return {"row": row, "offers": offers, "is_busy": task_page.is_busy(row)}


def _recent(name: str) -> QuerySet[Run]:
    return newest.with_consumer().filter(task=name).newest_first()[:RECENT]


def _trends(task: str, now: datetime) -> dict[str, Any]:
    took = trends.durations(task, now, days=trends.RECENT + trends.BEFORE)
    counted = tallies.since(now, DAYS).filter(task=task)
    return {
        "charts": charts.of_task(counted, took, tallies.day_of(now), DAYS),
        "trend": trends.of_task(task, now, days=1, took=took),
    }


@asked_or_done
@signed_in
@may_operate
def trigger(request: HtmxHttpRequest, name: str) -> HttpResponse:
    _known(name)
    dry_run = request.POST.get("dry_run") == "true"
    page = "housekeeping:run" if request.POST.get("show") == "run" else "housekeeping:overview"

    def start() -> Run:
        return control.request(name, send=queue.send, dry_run=dry_run, by=actor(request))

    question = partial(questions.before_task, TASKS[name])
    may_delete = TASKS[name].may_delete and not dry_run
    return acting.ask_first(request, question, start, page, name, may_delete)


@require_POST
@signed_in
@may_operate
def pause_task(request: HtmxHttpRequest, name: str) -> HttpResponse:
    _known(name)
    schedules.pause_task(name, reason=request.POST.get("reason", ""), by=actor(request))
    return _answered(request, name, gettext("%(task)s is paused. You can still start it."))


@require_POST
@signed_in
@may_operate
def resume_task(request: HtmxHttpRequest, name: str) -> HttpResponse:
    _known(name)
    schedules.resume_task(name, by=actor(request))
    return _answered(request, name, gettext("%(task)s is resumed."))


@require_POST
@signed_in
@may_operate
def acknowledge(request: HtmxHttpRequest, name: str) -> HttpResponse:
    """What is refused stays in the form, which says why."""
    _known(name)
    typed = {field: request.POST.get(field, "") for field in ("until", "reason")}
    try:
        until = holds.moment(typed["until"])
        acknowledgements.acknowledge(name, until=until, reason=typed["reason"], by=actor(request))
    except HousekeepingError as problem:
        answers.give(request, answers.not_saved(problem), messages.ERROR, beside="know")
        return _page(request, name, typed=typed, status=409)
    return _answered(request, name, gettext("The failure is acknowledged."))


@require_POST
@signed_in
@may_operate
def end_acknowledgement(request: HtmxHttpRequest, name: str) -> HttpResponse:
    _known(name)
    acknowledgements.end(name, by=actor(request))
    return _answered(request, name, gettext("The failure counts again."))


def _answered(request: HtmxHttpRequest, name: str, text: str) -> HttpResponse:
    answers.give(request, text % {"task": wording.title_of(name)}, beside=f"task-{name}")
    if request.htmx:
        return acting.show_overview(request)
    return redirect("housekeeping:task", name=name)


def _known(name: str) -> None:
    if name not in TASKS:
        raise Http404(f"There is no task {name!r}.")
