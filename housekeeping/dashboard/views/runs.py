"""The list of runs, and acts on several of them at once."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping import rights
from housekeeping.dashboard import answers, polls, questions
from housekeeping.dashboard.acting import actor
from housekeeping.dashboard.filters import RunFilters
from housekeeping.dashboard.guards import may_operate, may_view, sign_in_confirmed, signed_in
from housekeeping.dashboard.pages import runs as runs_page
from housekeeping.dashboard.pages.runs import Tab
from housekeeping.dashboard.parts.rows import rows
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.exceptions import NotPossible
from housekeeping.journal import acts
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.reading import search
from housekeeping.reading.runs import exports
from housekeeping.runs import control
from housekeeping.steering import bulk

# The columns that a row shows: the others can be large.
FIELDS = (
    "task", "schedule", "cause", "status", "dry_run", "requested_by", "requested_at", "started_at",
    "finished_at", "not_before", "retry_number", "attempts", "cancel_requested", "undo_of", "deleted",
    "total", "usual_seconds", "usual_rows", "result", "error",
)  # fmt: skip
# The columns that change a row; that of a running run also changes with time.
SEEN = ("pk", "status", "attempts", "cancel_requested", "finished_at")
SUGGESTIONS = 200  # the newest acts, whose authors are suggested


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def run_list(request: HtmxHttpRequest) -> HttpResponse:
    filters = RunFilters(request.GET)
    if not filters.is_tidy() and not polls.is_fragment(request):
        return redirect(reverse("housekeeping:runs") + filters.address)
    return _list(request, filters)


def _list(request: HtmxHttpRequest, filters: RunFilters, *, status: int = 200) -> HttpResponse:
    """The list by these filters: its fragment for htmx, else the page; 304 for a poll if nothing changed."""
    tabs = runs_page.tabs(filters)
    facts: dict[str, Any] = {"filters": filters, "tabs": tabs}
    if not filters.is_valid():
        return _rendered(request, filters, facts, 400)
    found = search.runs(filters.cleaned_data)
    if _is_unchanged(request, found, filters, tabs):
        return HttpResponse(status=304)
    shown = _slice(request, found, filters.query)
    seen = [tuple(getattr(run, name) for name in SEEN) for run in shown.rows]
    facts |= {
        "shown": shown,
        "rows": rows(shown.rows, picked_by=rights.of(request.user)),
        "tag": _tag(request, seen, filters, tabs),
        "is_newest": not shown.newer,
        "most_exported": exports.MOST,
        "is_busy": any(
            run.status in (Run.Status.QUEUED, Run.Status.RUNNING) and not run.is_put_off for run in shown.rows
        ),
        "text_since": search.text_since(filters.cleaned_data),
    }
    return _rendered(request, filters, facts, status)


def _is_unchanged(
    request: HtmxHttpRequest, found: QuerySet[Run], filters: RunFilters, tabs: list[Tab]
) -> bool:
    """Is it a poll of the newest slice, and has that not changed? One query of few columns."""
    if _place(filters.query) or "HX-PTag" not in request.headers:
        return False
    seen = list(found.values_list(*SEEN)[: search.SLICE_SIZE])
    return polls.is_unchanged(request, _tag(request, seen, filters, tabs))


def _rendered(
    request: HtmxHttpRequest, filters: RunFilters, facts: dict[str, Any], status: int
) -> HttpResponse:
    if not polls.is_fragment(request):
        facts = {**facts, "people": _people()}
        return render(request, "housekeeping/run_list.html", facts, status=status)
    answer = render(request, "housekeeping/_runs.html", facts, status=status)
    answer["HX-PTag"] = facts.get("tag", "")
    if not _place(filters.query):
        answer["HX-Replace-Url"] = reverse("housekeeping:runs") + filters.address
    return answer


def _place(query: QueryDict) -> bool:
    """Does the address ask for another slice than the newest?"""
    return any(query.get(name) for name in ("older", "newer", "oldest"))


def _tag(request: HtmxHttpRequest, seen: list[tuple[Any, ...]], filters: RunFilters, tabs: list[Tab]) -> str:
    now = clock.roughly().timestamp() if any(row[1] == Run.Status.RUNNING for row in seen) else 0
    counts = [tab.count for tab in tabs]
    return polls.tag(request, polls.fingerprint(filters.address, seen, counts, int(now) // 5))


def _slice(request: HtmxHttpRequest, found: QuerySet[Run], query: QueryDict) -> search.Slice[Run]:
    shown, is_there = search.slice_or_newest(found.only(*FIELDS), "requested_at", query)
    if not is_there:
        messages.warning(request, gettext("This part of the list does not exist. These are the newest runs."))
    return shown


@require_safe
@signed_in
@may_view
def runs_csv(request: HtmxHttpRequest) -> HttpResponse:
    """The newest runs of the list as a file, :data:`exports.MOST` at most."""
    filters = RunFilters(request.GET)
    if not filters.is_valid():
        return redirect(reverse("housekeeping:runs") + filters.address)
    lines = exports.as_csv(search.runs(filters.cleaned_data))
    answer = HttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="runs-{timezone.localdate()}.csv"'
    return answer


def _people() -> list[str]:
    """Who acted recently, as suggestions for a filter."""
    return sorted(set(acts.history({}).values_list("who", flat=True)[:SUGGESTIONS]) - {""})


@require_POST
@signed_in
@may_operate
def act_on_runs(request: HtmxHttpRequest) -> HttpResponse:
    """Cancel or retry the selected runs; tell how many were, and why the others were not."""
    found = _to_be_retried(request)
    act = sign_in_confirmed(_act_on_runs) if any(run.undo_of_id for run in found) else _act_on_runs
    return act(request, found)


def _act_on_runs(request: HtmxHttpRequest, found: list[Run]) -> HttpResponse:
    filters = RunFilters(QueryDict(request.POST.get("query", "").removeprefix("?")))
    chosen = sorted(request.POST.getlist("run"))
    again = [run for run in found if run.can_be_retried]
    asked = again if any(questions.may_delete(run) for run in again) else []
    about = [*chosen, questions.newest_run({run.task for run in asked})]
    if asked and not questions.is_answered(request, *about):
        fields = [(name, value) for name in ("act", "query", "run") for value in request.POST.getlist(name)]
        question = questions.before_retries(asked, fields)
        return questions.ask(request, question, *about, back=reverse("housekeeping:runs") + filters.address)
    text, level, status = _act_on(request)
    answers.give(request, text, level, beside="bulk")
    if polls.is_fragment(request):
        return _list(request, filters, status=status)
    return redirect(reverse("housekeeping:runs") + filters.address)


def _to_be_retried(request: HtmxHttpRequest) -> list[Run]:
    """The selected runs, if they are to be retried."""
    if request.POST.get("act") != "retry" or len(request.POST.getlist("run")) > bulk.MOST:
        return []
    try:
        return list(Run.objects.select_related("plan_of").filter(pk__in=_ids(request)))
    except NotPossible:
        return []


def _act_on(request: HtmxHttpRequest) -> tuple[str, int, int]:
    """The answer, its level and the HTTP status."""
    by = actor(request)
    known: dict[str, Callable[[Run], Run]] = {
        "cancel": lambda run: control.cancel(run, by=by),
        "retry": lambda run: _retry(request, run),
    }
    name = request.POST.get("act", "")
    if name not in known:
        return gettext("Press either Cancel or Retry."), messages.ERROR, 400
    try:
        summary = bulk.each(_ids(request), known[name])
    except NotPossible as error:
        return str(error), messages.ERROR, 400
    return *_told(name, summary), 200


def _ids(request: HttpRequest) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(text) for text in request.POST.getlist("run")]
    except ValueError:
        raise NotPossible(gettext("The selection can't be read: reload the page.")) from None


def _retry(request: HtmxHttpRequest, run: Run) -> Run:
    rights.check_retry(request.user, run)
    return control.retry(run, send=queue.send, by=actor(request))


def _told(name: str, outcome: bulk.Summary) -> tuple[str, int]:
    done, refused = outcome.done, outcome.refused
    text = _cancelled(done) if name == "cancel" else _retried(done)
    if refused:
        text += " " + ngettext("%(n)s was not:", "%(n)s were not:", len(refused)) % {"n": len(refused)}
    reasons = [
        f"{one.run.task if one.run else ''} {str(one.pk)[:8]}: {one.reason}".strip() for one in refused
    ]
    level = messages.SUCCESS if not refused else messages.WARNING if done else messages.ERROR
    return "\n".join([text, *reasons]), level


def _cancelled(runs: list[Run]) -> str:
    stopping = sum(run.status == Run.Status.RUNNING for run in runs)
    ended = len(runs) - stopping
    text = ngettext("%(n)s run cancelled.", "%(n)s runs cancelled.", ended) % {"n": ended}
    if stopping:
        more = ngettext("%(n)s stops after its batch.", "%(n)s stop after their batches.", stopping)
        text += " " + more % {"n": stopping}
    return text


def _retried(runs: list[Run]) -> str:
    return ngettext("%(n)s run retried.", "%(n)s runs retried.", len(runs)) % {"n": len(runs)}
