"""The list of runs, the page of a run, and acts on many runs at once."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping import rights
from housekeeping.dashboard import polls, questions
from housekeeping.dashboard.acting import actor
from housekeeping.dashboard.filters import RunFilters
from housekeeping.dashboard.guards import may_operate, may_view, signed_in
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.dashboard.rows import rows
from housekeeping.database import clock
from housekeeping.exceptions import NotPossible
from housekeeping.journal import acts
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.reading import search
from housekeeping.runs import control
from housekeeping.steering import bulk

# What a row is made of: the rest of a run can be large.
FIELDS = (
    "task", "schedule", "cause", "status", "dry_run", "requested_by", "requested_at", "started_at",
    "finished_at", "attempts", "cancel_requested", "undo_of", "deleted", "total", "result", "error",
)  # fmt: skip
# What its look depends on; a running one's moves on by itself.
SEEN = ("pk", "status", "attempts", "cancel_requested", "finished_at")
SUGGESTIONS = 200  # acts that the names of people are taken from


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def run_list(request: HtmxHttpRequest) -> HttpResponse:
    filters = RunFilters(request.GET)
    if not filters.is_tidy() and not polls.is_fragment(request):
        return redirect(reverse("housekeeping:runs") + filters.address)
    return _list(request, filters)


def _list(
    request: HtmxHttpRequest, filters: RunFilters, *, notice: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """The list by these filters: its fragment to htmx, else the page. 304 to a poll that knows it."""
    facts: dict[str, Any] = {"filters": filters, "notice": notice}
    tag = ""
    if not filters.is_valid():
        status = 400
    else:
        found = search.runs(filters.cleaned_data)
        if not _place(filters.query) and "HX-PTag" in request.headers:
            seen = list(found.values_list(*SEEN)[: search.PAGE])
            if polls.is_unchanged(request, polls.tag(request, _fingerprint(seen, filters.address))):
                return HttpResponse(status=304)
        page = _page(request, found, filters.query)
        seen = [tuple(getattr(run, name) for name in SEEN) for run in page.rows]
        tag = polls.tag(request, _fingerprint(seen, filters.address))
        shown = rows(page.rows, picked_by=rights.of(request.user))
        facts |= {"page": page, "rows": shown, "tag": tag}
        facts["is_newest"] = not page.newer
        facts["is_busy"] = any(run.status in ("queued", "running") for run in page.rows)
        facts["text_since"] = search.text_since(filters.cleaned_data)
    is_fragment = polls.is_fragment(request)
    if not is_fragment:
        facts["people"] = _people()
    template = "_runs.html" if is_fragment else "run_list.html"
    answer = render(request, f"housekeeping/{template}", facts, status=status)
    if is_fragment:
        answer["HX-PTag"] = tag
        if not _place(filters.query):
            answer["HX-Replace-Url"] = reverse("housekeeping:runs") + filters.address
    return answer


def _place(query: QueryDict) -> bool:
    """Is a page asked for beside the newest?"""
    return any(query.get(name) for name in ("older", "newer", "oldest"))


def _fingerprint(seen: list[tuple[Any, ...]], address: str) -> str:
    now = clock.roughly().timestamp() if any(row[1] == Run.Status.RUNNING for row in seen) else 0
    return polls.fingerprint(address, seen, int(now) // 5)


def _page(request: HtmxHttpRequest, found: QuerySet[Run], query: QueryDict) -> search.Page[Run]:
    page, is_there = search.page_or_newest(found.only(*FIELDS), "requested_at", query)
    if not is_there:
        messages.warning(request, gettext("There is no such place in the list; these are the newest runs."))
    return page


def _people() -> list[str]:
    """Who acted lately, to choose from."""
    return sorted(set(acts.history({}).values_list("who", flat=True)[:SUGGESTIONS]) - {""})


@require_POST
@signed_in
@may_operate
def act_on_runs(request: HtmxHttpRequest) -> HttpResponse:
    """Cancel or retry the selected runs; say how many were, and why the others were not."""
    filters = RunFilters(QueryDict(request.POST.get("query", "").removeprefix("?")))
    chosen = sorted(request.POST.getlist("run"))
    asked = _to_be_asked(request, chosen)
    about = [*chosen, questions.newest_run({run.task for run in asked})]
    if asked and not questions.is_answered(request, *about):
        fields = [(name, value) for name in ("act", "query", "run") for value in request.POST.getlist(name)]
        question = questions.before_retries(asked, fields)
        return questions.ask(request, question, *about, back=reverse("housekeeping:runs") + filters.address)
    notice, status = _act_on(request)
    if polls.is_fragment(request):
        return _list(request, filters, notice=notice, status=status)
    say = getattr(messages, notice["level"])
    say(request, " ".join([notice["text"], *notice["reasons"]]))
    return redirect(reverse("housekeeping:runs") + filters.address)


def _to_be_asked(request: HtmxHttpRequest, chosen: list[str]) -> list[Run]:
    """The runs that would be retried, where one of them may delete rows; else none."""
    if request.POST.get("act") != "retry" or len(chosen) > bulk.MOST:
        return []
    try:
        found = Run.objects.select_related("plan_of").filter(pk__in=_ids(request))
    except NotPossible:
        return []
    again = [run for run in found if run.can_be_retried]
    return again if any(questions.may_delete(run) for run in again) else []


def _act_on(request: HtmxHttpRequest) -> tuple[dict[str, Any], int]:
    by = actor(request)
    known: dict[str, Callable[[Run], Run]] = {
        "cancel": lambda run: control.cancel(run, by=by),
        "retry": lambda run: _retry(request, run),
    }
    name = request.POST.get("act", "")
    if name not in known:
        return _notice("error", gettext("Press either Cancel or Retry.")), 400
    try:
        summary = bulk.each(_ids(request), known[name])
    except NotPossible as error:
        return _notice("error", str(error)), 400
    return _told(name, summary), 200


def _ids(request: HttpRequest) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(text) for text in request.POST.getlist("run")]
    except ValueError:
        raise NotPossible(gettext("What is selected are no runs: load the page anew.")) from None


def _retry(request: HtmxHttpRequest, run: Run) -> Run:
    rights.check_retry(request.user, run)
    return control.retry(run, send=queue.send, by=actor(request))


def _told(name: str, summary: bulk.Summary) -> dict[str, Any]:
    done = len(summary.done)
    if name == "cancel":
        stopping = sum(run.status == Run.Status.RUNNING for run in summary.done)
        ended = done - stopping
        text = ngettext("%(n)s run cancelled.", "%(n)s runs cancelled.", ended) % {"n": ended}
        if stopping:
            more = ngettext("%(n)s stops after its batch.", "%(n)s stop after their batches.", stopping)
            text = f"{text} {more % {'n': stopping}}"
    else:
        text = ngettext("%(n)s run retried.", "%(n)s runs retried.", done) % {"n": done}
    refused = len(summary.refused)
    if refused:
        more = ngettext("%(n)s was not:", "%(n)s were not:", refused) % {"n": refused}
        text = f"{text} {more}"
    reasons = [
        f"{one.run.task if one.run else ''} {str(one.pk)[:8]}: {one.reason}".strip()
        for one in summary.refused
    ]
    level = "warning" if refused and done else "error" if refused else "success"
    return _notice(level, text, reasons)


def _notice(level: str, text: str, reasons: list[str] | None = None) -> dict[str, Any]:
    return {"level": level, "text": text, "reasons": reasons or []}
