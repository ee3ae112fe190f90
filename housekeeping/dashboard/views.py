"""The dashboard: guard, fetch, call, render. Every page works without JavaScript."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from posixpath import dirname
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh

from housekeeping import rights
from housekeeping.dashboard import charts, polls, questions, wording
from housekeeping.dashboard.pages import overview as overview_page
from housekeeping.dashboard.pages import policy as policy_page
from housekeeping.dashboard.pages import schedule as schedule_page
from housekeeping.dashboard.pages.policy import PolicyPage
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.dashboard.questions import Question
from housekeeping.dashboard.rows import rows
from housekeeping.database import clock
from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.exceptions import (
    BadRetention,
    BadTrigger,
    HousekeepingError,
    QueueUnreachable,
    RunInProgress,
    UnknownPolicy,
)
from housekeeping.journal import tallies
from housekeeping.journal.acts import Actor
from housekeeping.models import Run, Snapshot
from housekeeping.queue import tasks as queue
from housekeeping.reading import policies, receipts, words
from housekeeping.runs import control, schedules
from housekeeping.steering import retentions

TREND_DAYS = ("7", "30", "90")
MOST_SNAPSHOTS = 1_000
GLANCE = 0.8  # seconds


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As login_required; but htmx, which would swap the sign-in page in, is told to load anew.

    And who is signed in again after an act is led to a page: the act's own address has none.
    """
    guarded = login_required(view)

    @wraps(view)
    def guard(request: HtmxHttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.htmx and not request.user.is_authenticated:
            return HttpResponseClientRefresh()
        if request.method == "POST" and not request.user.is_authenticated:
            messages.warning(request, gettext("You were signed out; nothing was done."))
            return redirect_to_login(_page_of(request.path))
        return guarded(request, *args, **kwargs)

    return guard


def _page_of(act: str) -> str:
    """The page of what was acted on: the address above the act's own, where there is one."""
    try:
        resolve(dirname(act))
    except Resolver404:
        return reverse("housekeeping:overview")
    return dirname(act)


# An act is answered with the page that it was done on: who acts here must be allowed to see, too.
may_view = permission_required(rights.VIEW, raise_exception=True)
may_configure = permission_required([rights.VIEW, rights.CONFIGURE], raise_exception=True)
may_operate = permission_required([rights.VIEW, rights.OPERATE], raise_exception=True)


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def overview(request: HtmxHttpRequest) -> HttpResponse:
    tag = polls.tag(request, overview_page.fingerprint(clock.roughly()))
    if request.htmx and polls.is_unchanged(request, tag):
        return HttpResponse(status=304)
    template = "_overview.html" if request.htmx else "overview.html"
    answer = render(request, f"housekeeping/{template}", {**_facts(), "tag": tag})
    answer["HX-PTag"] = tag
    return answer


@require_safe
@signed_in
@may_view
def trends(request: HtmxHttpRequest) -> HttpResponse:
    days = int(asked) if (asked := request.GET.get("days", "")) in TREND_DAYS else 30
    now = clock.roughly()
    newest = Snapshot.objects.filter(taken_at__gte=now - timedelta(days=days))[:MOST_SNAPSHOTS]
    shown = charts.trends(tallies.since(now, days), list(newest)[::-1], timezone.localdate(now), days)
    facts = {"charts": shown, "days": str(days), "choices": TREND_DAYS}
    return render(request, "housekeeping/trends.html", facts)


asked_or_done = require_http_methods(["GET", "HEAD", "POST"])


@asked_or_done
@signed_in
@may_operate
def trigger(request: HtmxHttpRequest, name: str) -> HttpResponse:
    if name not in TASKS:
        raise Http404(f"There is no task {name!r}.")
    dry_run = request.POST.get("dry_run") == "true"
    page = "housekeeping:run" if request.POST.get("show") == "run" else "housekeeping:overview"

    def start() -> Run:
        return control.request(name, send=queue.send, dry_run=dry_run, by=_actor(request))

    question = partial(questions.before_task, TASKS[name])
    may_delete = TASKS[name].may_delete and not dry_run
    return _asked_first(request, question, start, page, name, may_delete)


@asked_or_done
@signed_in
@may_operate
def carry_out(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Run a plan: delete what the dry run showed, and no other rows."""
    plan = get_object_or_404(Run, pk=pk)

    def start() -> Run:
        return control.request(plan.task, send=queue.send, plan=plan, by=_actor(request))

    question = partial(questions.before_plan, plan)
    return _asked_first(request, question, start, "housekeeping:run", plan.task, plan.is_plan)


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
    return _act(request, lambda: control.cancel(run, by=_actor(request)), "housekeeping:run")


@asked_or_done
@signed_in
@may_operate
def retry_run(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run.objects.select_related("plan_of"), pk=pk)
    if not rights.of(request.user).may("retry", run):
        raise PermissionDenied

    def start() -> Run:
        return control.retry(run, send=queue.send, by=_actor(request))

    question = partial(questions.before_retries, [run])
    may_delete = run.can_be_retried and questions.may_delete(run)
    return _asked_first(request, question, start, "housekeeping:run", run.task, may_delete)


@asked_or_done
@signed_in
@may_operate
def approve_run(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)

    def start() -> Run:
        return control.approve(run, send=queue.send, by=_actor(request))

    question = partial(questions.before_plan, run)
    return _asked_first(request, question, start, "housekeeping:run", run.task, run.status == Run.Status.HELD)


@require_POST
@signed_in
@may_configure
def undo_run(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    asked = {name: name in request.GET for name in ("unverified", "intact_only")}
    return _act(
        request, lambda: control.undo(run, send=queue.send, by=_actor(request), **asked), "housekeeping:run"
    )


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def schedule_detail(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """The schedule, and when the trigger in ``?trigger=`` would fire, before it is saved."""
    page = schedule_page.read(_known(pk), clock.roughly(), trigger=request.GET.get("trigger"))
    template = "_fire_times.html" if request.htmx else "schedule_detail.html"
    return render(request, f"housekeeping/{template}", {"page": page})


@require_POST
@signed_in
@may_operate
def pause_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    return _steered(request, schedules.pause(_known(pk), by=_actor(request)), gettext("%(name)s is paused."))


@require_POST
@signed_in
@may_operate
def resume_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    return _steered(
        request, schedules.resume(_known(pk), by=_actor(request)), gettext("%(name)s is resumed.")
    )


@require_POST
@signed_in
@may_operate
def pause_all(request: HtmxHttpRequest) -> HttpResponse:
    schedules.pause_all(by=_actor(request))
    return _overview(request)


@require_POST
@signed_in
@may_operate
def resume_all(request: HtmxHttpRequest) -> HttpResponse:
    schedules.resume_all(by=_actor(request))
    return _overview(request)


@asked_or_done
@signed_in
@may_operate
def run_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    task = schedules.find(_known(pk)).schedule.task

    def start() -> Run:
        return control.request(task.name, send=queue.send, schedule=pk, by=_actor(request))

    question = partial(questions.before_task, task)
    return _asked_first(request, question, start, "housekeeping:run", task.name, task.may_delete)


@require_POST
@signed_in
@may_configure
def change_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    trigger = request.POST.get("trigger", "")
    try:
        entry = schedules.change(_known(pk), trigger, by=_actor(request))
    except BadTrigger:
        page = schedule_page.read(pk, clock.roughly(), trigger=trigger)
        return render(request, "housekeeping/schedule_detail.html", {"page": page}, status=400)
    words = gettext("%(name)s runs %(trigger)s from now on.")
    return _steered(request, entry, words)


@require_POST
@signed_in
@may_configure
def reset_schedule(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    entry = schedules.reset(_known(pk), by=_actor(request))
    return _steered(request, entry, gettext("%(name)s runs as declared, %(trigger)s."))


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def policy_detail(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """The policy, and what the retention in ``?retention_days=`` would hit, before it is saved."""
    asked = request.GET.get("retention_days")
    page = _policy_page(pk, asked)
    template = "_effect.html" if request.htmx else "policy_detail.html"
    return render(request, f"housekeeping/{template}", {"page": page})


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def policy_preview(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """Counts large tables: the policy's page fetches it once it is there itself."""
    facts = {"page": _policy_page(pk), "preview": policies.preview(pk, clock.roughly())}
    template = "_preview.html" if request.htmx else "policy_detail.html"
    return render(request, f"housekeeping/{template}", facts)


@require_POST
@signed_in
@may_configure
def change_retention(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """Save a retention; a shorter one only once its effect has been seen."""
    days = request.POST.get("retention_days", "")
    page = _policy_page(pk, days)
    is_seen = page.effect and request.POST.get("seen") == str(page.effect.days)
    if page.problem or (page.effect and page.effect.is_shorter and not is_seen):
        return render(request, "housekeeping/policy_detail.html", {"page": page}, status=422)
    retentions.change(pk, days, by=_actor(request))
    kept = gettext("Rows of %(policy)s are kept for %(days)s days from the next run on.")
    messages.success(request, kept % {"policy": pk, "days": days})
    return redirect("housekeeping:policy", pk=pk)


@require_POST
@signed_in
@may_configure
def reset_retention(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    page = _policy_page(pk)
    try:
        retentions.reset(pk, by=_actor(request))
    except BadRetention as error:
        messages.error(request, str(error))
        return redirect("housekeeping:policy", pk=pk)
    kept = gettext("Rows of %(policy)s are kept as declared: %(days)s days.")
    messages.success(request, kept % {"policy": pk, "days": page.card.declared_days})
    return redirect("housekeeping:policy", pk=pk)


def _policy_page(pk: str, days: str | None = None) -> PolicyPage:
    try:
        return policy_page.read(pk, clock.roughly(), retention_days=days)
    except UnknownPolicy as error:
        raise Http404(str(error)) from None


def _known(pk: str) -> str:
    if pk not in SCHEDULES:
        raise Http404(f"There is no schedule {pk!r}.")
    return pk


def _steered(request: HtmxHttpRequest, entry: schedules.Entry, done: str) -> HttpResponse:
    if request.htmx:
        return _overview(request)
    facts = {"name": wording.declared(entry.schedule.name), "trigger": wording.described(entry.trigger)}
    messages.success(request, done % facts)
    return redirect("housekeeping:schedule", pk=entry.schedule.id)


def _overview(request: HtmxHttpRequest, *, error: str | None = None, status: int = 200) -> HttpResponse:
    """How things stand now: the fragment to htmx, else the page."""
    if not request.htmx:
        return redirect("housekeeping:overview")
    facts = {**_facts(), "error": error}
    return render(request, "housekeeping/_overview.html", facts, status=status)


def _facts() -> dict[str, Any]:
    page = overview_page.read(clock.roughly())
    return {"page": page, "overview": page.seen, "rows": rows(page.seen.recent)}


def _asked_first(
    request: HtmxHttpRequest,
    question: Callable[[], Question],
    act: Callable[[], Run],
    page: str,
    task: str,
    may_delete: bool,
) -> HttpResponse:
    """Do what may delete rows once the question is answered, and anything else at once."""
    if request.method == "POST" and not may_delete:
        return _act(request, act, page)
    newest = questions.newest_run([task])
    if request.method == "POST" and questions.is_answered(request, newest):
        return _act(request, act, page)
    return questions.ask(request, question(), newest, back=_page_of(request.path))


def _act(request: HtmxHttpRequest, act: Callable[[], Run], page: str) -> HttpResponse:
    """Ask for a run or change one, and show how it stands, or why it could not be done."""
    error, code, run = None, 200, None
    try:
        # Most runs end sooner than a person looks up: then the answer is the result.
        run = control.wait(act(), GLANCE)
    except HousekeepingError as problem:
        error, code = str(problem), 503 if isinstance(problem, QueueUnreachable) else 409
        run = problem.run if isinstance(problem, RunInProgress) else None
    if request.htmx:
        return _overview(request, error=error, status=code)
    if error:
        messages.error(request, error)
    elif run:
        messages.success(request, words.message(run))
    if run and page == "housekeeping:run":
        return redirect(page, pk=run.pk)
    return redirect("housekeeping:overview")


def _actor(request: HtmxHttpRequest) -> Actor:
    return Actor(request.user.get_username(), f"dashboard from {request.META.get('REMOTE_ADDR', 'unknown')}")
