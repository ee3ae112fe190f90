"""The pages of erasures: begin one, see how it stands, and its certificate."""

import uuid

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import answers, polls, questions, unsent
from housekeeping.dashboard.acting import actor
from housekeeping.dashboard.guards import may_configure, may_view, sign_in_confirmed, signed_in
from housekeeping.dashboard.pages import erasures as erasure_page
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.erasure import people, requests
from housekeeping.exceptions import (
    BadField,
    DatabaseUnreachable,
    HousekeepingError,
    NotAllowed,
    QueueUnreachable,
)
from housekeeping.models import Erasure
from housekeeping.queue import tasks as queue


@require_safe
@signed_in
@may_view
def erasure_list(request: HtmxHttpRequest) -> HttpResponse:
    if sent := unsent.take(request, "erasure-begin", beside="erase"):
        return _list(request, typed=sent.fields.get("account", ""))
    return _list(request)


@require_POST
@signed_in
@may_configure
@sign_in_confirmed
def begin(request: HtmxHttpRequest) -> HttpResponse:
    """Preview the erasure and ask for the account's name, then request it."""
    text = request.POST.get("account", "")
    try:
        person = people.find(text)
        requests.check_right(person, is_superuser=bool(getattr(request.user, "is_superuser", False)))
        preview = requests.preview(person)
    except BadField as problem:
        return _list(request, typed=text, problem=problem, status=400)
    except NotAllowed as problem:
        return _list(request, typed=text, problem=problem, status=403)
    except DatabaseUnreachable as problem:
        return _list(request, typed=text, problem=problem, status=503)
    if preview.obstacles:
        return _list(request, typed=text, obstacles=preview.obstacles, status=409)
    if not questions.is_answered(request, person.key):
        question = erasure_page.question(preview, text)
        return questions.ask(request, question, person.key, back=reverse("housekeeping:erasures"))
    try:
        erasure = requests.request(person, send=queue.send, by=actor(request))
    except HousekeepingError as problem:
        status = 503 if isinstance(problem, QueueUnreachable | DatabaseUnreachable) else 409
        return _list(request, typed=text, problem=problem, status=status)
    answers.give(request, gettext("The erasure is requested."), messages.SUCCESS, beside="erasure")
    return redirect("housekeeping:erasure", pk=erasure.pk)


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def erasure_detail(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    erasure = get_object_or_404(Erasure, pk=pk)
    is_fragment = polls.is_fragment(request)
    tag = polls.tag(request, erasure_page.fingerprint(erasure))
    if is_fragment and polls.is_unchanged(request, tag):
        return HttpResponse(status=304)
    template = "_erasure.html" if is_fragment else "erasure_detail.html"
    return polls.tagged(request, template, {"page": erasure_page.read(erasure)}, tag)


@require_safe
@signed_in
@may_view
def certificate_json(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    erasure = get_object_or_404(Erasure, pk=pk)
    facts = {"certificate": erasure.certificate, "sha256": erasure.digest}
    answer = JsonResponse(facts, json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = f'attachment; filename="erasure-{pk}.json"'
    return answer


def _list(request: HtmxHttpRequest, *, status: int = 200, **facts: object) -> HttpResponse:
    page = erasure_page.read_list(request.GET)
    return render(request, "housekeeping/erasure_list.html", {"page": page, **facts}, status=status)
