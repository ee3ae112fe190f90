"""The page of holds: rows that no policy may delete, why, and until when."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import answers, polls, questions, unsent
from housekeeping.dashboard.acting import actor, asked_or_done
from housekeeping.dashboard.guards import may_configure, may_view, signed_in
from housekeeping.dashboard.pages import holds as hold_page
from housekeeping.dashboard.pages.holds import HoldPage
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.exceptions import BadHold, DatabaseUnreachable, HousekeepingError
from housekeeping.models import Hold, Run
from housekeeping.reading import words
from housekeeping.steering import holds


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def hold_list(request: HtmxHttpRequest) -> HttpResponse:
    if sent := unsent.take(request, "hold-add", beside="hold-add"):
        return _holds(request, typed=sent.fields)
    if sent := unsent.take(request, "hold-change", "undo-holds-change"):
        return _holds(request, unsent={"name": sent.of["pk"], "until": sent.fields.get("until", "")})
    return _holds(request)


@require_POST
@signed_in
@may_configure
def add_hold(request: HtmxHttpRequest) -> HttpResponse:
    typed = {name: request.POST.get(name, "") for name in ("model", "key", "until", "reason")}
    try:
        until = holds.moment(typed["until"])
        reason, by = typed["reason"], actor(request)
        hold = holds.add(typed["model"], typed["key"], until=until, reason=reason, by=by)
    except BadHold as problem:
        return _holds(request, typed=typed, problem=problem, status=400)
    except DatabaseUnreachable as outage:
        return _holds(request, typed=typed, problem=BadHold("model", str(outage)), status=503)
    answers.give(request, answers.saved(gettext("%(row)s is on hold.") % {"row": hold}), beside="hold-add")
    return redirect("housekeeping:holds")


@require_POST
@signed_in
@may_configure
def change_hold(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    hold, text = get_object_or_404(Hold, pk=pk), request.POST.get("until", "")

    def act() -> str:
        holds.change(hold, until=holds.moment(text), by=actor(request))
        return answers.saved(gettext("%(row)s is on hold %(until)s.") % {"row": hold, "until": _until(text)})

    return _changed(request, pk, act)


@require_POST
@signed_in
@may_configure
def end_hold(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    hold = get_object_or_404(Hold, pk=pk)

    def act() -> str:
        holds.end(hold, by=actor(request))
        return gettext("Ended the hold on %(row)s.") % {"row": hold}

    return _acted(request, act, "single-holds")


@require_POST
@signed_in
@may_configure
def change_undo_holds(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    undo, text = get_object_or_404(Run, pk=pk), request.POST.get("until", "")

    def act() -> str:
        rows = words.number(holds.change_all(undo, holds.moment(text), by=actor(request)))
        facts = {"n": rows, "until": _until(text)}
        return answers.saved(gettext("%(n)s rows are on hold %(until)s.") % facts)

    return _changed(request, pk, act)


@asked_or_done
@signed_in
@may_configure
def end_undo_holds(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """End all holds of an undo, once the question about them is answered."""
    undo = get_object_or_404(Run, pk=pk)
    back, number = reverse("housekeeping:holds") + _place(request), holds.group(undo).count

    def act() -> str:
        ended = holds.end_all(undo, by=actor(request))
        return gettext("Ended %(n)s holds.") % {"n": words.number(ended)}

    if request.method == "POST" and (questions.is_answered(request) or not number):
        return _acted(request, act, "undo-holds")
    question = questions.before_end_of_holds(undo, number)
    return questions.ask(request, question, back=back, address=request.get_full_path())


def _until(text: str) -> str:
    return gettext("until %(day)s") % {"day": text.strip()} if text.strip() else gettext("indefinitely")


def _changed(request: HtmxHttpRequest, name: int | uuid.UUID, act: Callable[[], str]) -> HttpResponse:
    """As ``_acted``. A date that can't be saved stays in its field, which says why. ``name``: of the form."""
    try:
        return _acted(request, act, f"hold-{name}")
    except BadHold as problem:
        answers.give(request, answers.not_saved(problem), messages.ERROR, beside=f"hold-{name}")
        failed = {"name": name, "until": request.POST.get("until", "")}
        return _holds(request, failed=failed, status=400)


def _acted(request: HtmxHttpRequest, act: Callable[[], str], beside: str) -> HttpResponse:
    """Do ``act``, and show the holds afterwards or why it could not be done. Raises BadHold."""
    status = 200
    try:
        answers.give(request, act(), beside=beside)
    except BadHold:
        raise
    except HousekeepingError as problem:
        answers.give(request, str(problem), messages.ERROR, beside=beside)
        status = 409
    if request.htmx:
        return _holds(request, status=status)
    return redirect(reverse("housekeeping:holds") + _place(request))


def _place(request: HtmxHttpRequest) -> str:
    """The page of the list, which the forms send along."""
    return f"?{request.GET.urlencode()}" if request.GET else ""


def _holds(request: HtmxHttpRequest, *, status: int = 200, **facts: Any) -> HttpResponse:
    """The holds: their fragment for htmx, else the page; 304 for a poll if nothing changed."""
    page = hold_page.read(clock.roughly(), request.GET)
    is_fragment, place = polls.is_fragment(request), _place(request)
    tag = polls.tag(request, _fingerprint(page, place))
    if is_fragment and polls.is_unchanged(request, tag):
        return HttpResponse(status=304)
    template = "_holds.html" if is_fragment else "hold_list.html"
    facts |= {"page": page, "place": place, "tag": tag}
    answer = render(request, f"housekeeping/{template}", facts, status=status)
    if is_fragment:
        answer["HX-PTag"] = tag
    return answer


def _fingerprint(page: HoldPage, place: str) -> str:
    undos = [(one.undo.pk, one.group, one.group.is_active(page.now)) for one in page.undos]
    single = [(hold.pk, hold.until, hold.reason, hold.is_active(page.now)) for hold in page.single]
    return polls.fingerprint(place, undos, page.older_undos, single, page.older, sorted(page.gone))
