"""The page of a schedule, and acts on it."""

from functools import partial

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import acting, answers, questions, unsent, wording
from housekeeping.dashboard.acting import actor, asked_or_done
from housekeeping.dashboard.guards import may_configure, may_operate, may_view, signed_in
from housekeeping.dashboard.pages import schedule as schedule_page
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.declared.registry import SCHEDULES
from housekeeping.exceptions import BadTrigger
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.runs import control, schedules


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def schedule_detail(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """The schedule, and when the trigger in ``?trigger=`` would fire if it were saved."""
    trigger = request.GET.get("trigger")
    if sent := unsent.take(request, "schedule-change", beside="trigger", pk=pk):
        trigger = sent.fields.get("trigger", "")
    page = schedule_page.read(_known(pk), clock.roughly(), trigger=trigger)
    template = "_fire_times.html" if request.htmx else "schedule_detail.html"
    return render(request, f"housekeeping/{template}", {"page": page})


@require_POST
@signed_in
@may_operate
def pause_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    return _steered(request, schedules.pause(_known(pk), by=actor(request)), gettext("%(name)s is paused."))


@require_POST
@signed_in
@may_operate
def resume_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    return _steered(request, schedules.resume(_known(pk), by=actor(request)), gettext("%(name)s is resumed."))


@asked_or_done
@signed_in
@may_operate
def run_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    task = schedules.find(_known(pk)).schedule.task

    def start() -> Run:
        return control.request(task.name, send=queue.send, schedule=pk, by=actor(request))

    question = partial(questions.before_task, task)
    return acting.ask_first(request, question, start, "housekeeping:run", task.name, task.may_delete)


@require_POST
@signed_in
@may_configure
def change_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    trigger = request.POST.get("trigger", "")
    try:
        entry = schedules.change(_known(pk), trigger, by=actor(request))
    except BadTrigger:
        page = schedule_page.read(pk, clock.roughly(), trigger=trigger)
        return render(
            request, "housekeeping/schedule_detail.html", {"page": page, "is_refused": True}, status=400
        )
    words = gettext("%(name)s runs %(trigger)s from now on.")
    return _steered(request, entry, answers.saved(words), "trigger")


@require_POST
@signed_in
@may_configure
def reset_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    entry = schedules.reset(_known(pk), by=actor(request))
    words = gettext("%(name)s runs as declared, %(trigger)s.")
    return _steered(request, entry, answers.saved(words), "trigger")


def _known(pk: str) -> str:
    if pk not in SCHEDULES:
        raise Http404(f"There is no schedule {pk!r}.")
    return pk


def _steered(request: HtmxHttpRequest, entry: schedules.Entry, done: str, beside: str = "") -> HttpResponse:
    schedule = entry.schedule
    facts = {"name": wording.declared(schedule.name), "trigger": wording.described(entry.trigger)}
    place = f"task-{schedule.task.name}" if request.htmx else beside or f"schedule-{schedule.id}"
    answers.give(request, done % facts, beside=place)
    if request.htmx:
        return acting.show_overview(request)
    if acting.is_of_task(request):
        return redirect("housekeeping:task", name=schedule.task.name)
    return redirect("housekeeping:schedule", pk=schedule.id)
