"""Answers to acts: how the run stands, or why the act could not be done."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from housekeeping.dashboard import answers, questions
from housekeeping.dashboard.guards import page_of
from housekeeping.dashboard.pages import overview as overview_page
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.dashboard.questions import Question
from housekeeping.database import clock
from housekeeping.exceptions import HousekeepingError, QueueUnreachable, RunInProgress
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Run
from housekeeping.runs import control

# How long an answer waits for the run to end, in seconds: most runs end within that.
GLANCE = 0.8

asked_or_done = require_http_methods(["GET", "HEAD", "POST"])


def actor(request: HtmxHttpRequest) -> Actor:
    return acts.visitor(request, "dashboard")


def ask_first(
    request: HtmxHttpRequest,
    question: Callable[[], Question],
    act: Callable[[], Run],
    page: str,
    task: str,
    may_delete: bool,
) -> HttpResponse:
    """Do ``act`` at once if it can't delete rows, else only once its question is answered.

    ``page``: the URL name to go to without JavaScript. ``task``: the task that the run is of.
    """
    if request.method == "POST" and not may_delete:
        return answer(request, act, page, task)
    newest = questions.newest_run([task])
    if request.method == "POST" and questions.is_answered(request, newest):
        return answer(request, act, page, task)
    return questions.ask(request, question(), newest, back=page_of(request))


def answer(request: HtmxHttpRequest, act: Callable[[], Run], page: str, task: str) -> HttpResponse:
    """Do ``act``, and tell how its run stands or why it could not be done."""
    status, run, place = 200, None, f"task-{task}"
    try:
        run = control.wait(act(), GLANCE)
    except HousekeepingError as problem:
        status = 503 if isinstance(problem, QueueUnreachable) else 409
        run = problem.run if isinstance(problem, RunInProgress) else None
        answers.give(request, str(problem), messages.ERROR, beside=place)
    else:
        answers.give_standing(request, run, beside=place)
    if request.htmx:
        return show_overview(request, status=status)
    if is_of_task(request):
        return redirect("housekeeping:task", name=task)
    if run and page == "housekeeping:run":
        return redirect(page, pk=run.pk)
    return redirect("housekeeping:overview")


def is_of_task(request: HtmxHttpRequest) -> bool:
    """Was the button on the page of a task, so that this page comes afterwards?"""
    return request.POST.get("show") == "task"


def show_overview(request: HtmxHttpRequest, *, status: int = 200) -> HttpResponse:
    """The overview as it is now: its fragment for htmx, else a redirect to it."""
    if not request.htmx:
        return redirect("housekeeping:overview")
    return render(request, "housekeeping/_overview.html", overview_facts(), status=status)


def overview_facts() -> dict[str, Any]:
    page = overview_page.read(clock.roughly())
    return {"page": page, "overview": page.seen}
