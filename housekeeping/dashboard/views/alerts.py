"""The pages of alerts and of a channel, and acts on channels."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import answers, polls, unsent
from housekeeping.dashboard.acting import actor
from housekeeping.dashboard.guards import may_configure, may_view, signed_in
from housekeeping.dashboard.pages import alerts as alert_page
from housekeeping.dashboard.pages.alerts import KINDS, WAYS, AlertPage
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.exceptions import BadChannel, HousekeepingError, UnknownChannel
from housekeeping.steering import channels


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def alert_list(request: HtmxHttpRequest) -> HttpResponse:
    """The page; its fragment for htmx; 304 for a poll if nothing changed."""
    if sent := unsent.take(request, "channel-add"):
        return _alerts(request, typed=sent.fields, chosen=_chosen(sent.fields))
    return _alerts(request)


@require_POST
@signed_in
@may_configure
def add_channel(request: HtmxHttpRequest) -> HttpResponse:
    typed: dict[str, Any] = {name: request.POST.get(name, "") for name in ("name", "kind", "address")}
    try:
        channel = channels.add(**typed, **_chosen(request.POST), by=actor(request))
    except BadChannel as problem:
        return _alerts(request, typed=typed, problem=problem, chosen=_chosen(request.POST), status=400)
    text = gettext("Send a test to see whether it arrives.")
    answers.give(request, answers.saved(text), beside=f"channel-{channel.name}")
    return redirect("housekeeping:channel", name=channel.name)


@require_safe
@signed_in
@may_view
def channel_detail(request: HtmxHttpRequest, name: str) -> HttpResponse:
    if sent := unsent.take(request, "channel-change", beside=f"channel-{name}", name=name):
        typed = sent.fields.get("address", "")
        return _channel(request, name, typed=typed, chosen=_chosen(sent.fields))
    return _channel(request, name)


@require_POST
@signed_in
@may_configure
def change_channel(request: HtmxHttpRequest, name: str) -> HttpResponse:
    address = request.POST.get("address", "").strip()
    fields = _chosen(request.POST) | ({"address": address} if address else {})
    try:
        channels.change(name, **fields, by=actor(request))
    except BadChannel as problem:
        answers.give(request, answers.not_saved(problem), messages.ERROR, beside=f"channel-{name}")
        return _channel(request, name, problem=problem, typed=address, chosen=fields, status=400)
    except UnknownChannel as problem:
        raise Http404(str(problem)) from None
    answers.give(request, gettext("Saved."), beside=f"channel-{name}")
    return redirect("housekeeping:channel", name=name)


@require_POST
@signed_in
@may_configure
def test_channel(request: HtmxHttpRequest, name: str) -> HttpResponse:
    def act() -> str:
        number = channels.send_test(name, by=actor(request))
        text = ngettext(
            "A test is on its way to %(n)s address; see below what comes of it.",
            "A test is on its way to %(n)s addresses; see below what comes of it.",
            number,
        )
        return text % {"n": number}

    return _acted(request, name, act, "housekeeping:alerts", "sent")


@require_POST
@signed_in
@may_configure
def make_secret(request: HtmxHttpRequest, name: str) -> HttpResponse:
    def act() -> str:
        channels.make_secret(name, by=actor(request))
        return gettext("From now on, messages are signed with the new secret.")

    page = reverse("housekeeping:channel", args=[name])
    return _acted(request, name, act, page, f"channel-{name}")


@require_POST
@signed_in
@may_configure
def remove_channel(request: HtmxHttpRequest, name: str) -> HttpResponse:
    def act() -> str:
        channels.remove(name, by=actor(request))
        return gettext("The channel %(name)s is removed.") % {"name": name}

    return _acted(request, name, act, "housekeeping:alerts", "channels")


def _acted(
    request: HtmxHttpRequest, name: str, act: Callable[[], str], page: str, beside: str
) -> HttpResponse:
    """Do ``act`` and show ``page``, or the channel's page with the reason why it could not be done."""
    try:
        answers.give(request, act(), beside=beside)
    except UnknownChannel as problem:
        raise Http404(str(problem)) from None
    except HousekeepingError as problem:
        answers.give(request, str(problem), messages.ERROR, beside=f"channel-{name}")
        return redirect("housekeeping:channel", name=name)
    return redirect(page)


def _chosen(sent: QueryDict) -> dict[str, Any]:
    """What the checkboxes of the form say."""
    return {
        "kinds": sent.getlist("kinds"),
        "tasks": sent.getlist("tasks"),
        "is_on": "is_on" in sent,
        "is_reminded": "is_reminded" in sent,
    }


NEW = {"kinds": [], "tasks": [], "is_on": True, "is_reminded": True}


def _fields(chosen: dict[str, Any]) -> dict[str, Any]:
    return {
        "kinds": alert_page.choices(chosen["kinds"], KINDS),
        "tasks": alert_page.choices(chosen["tasks"], alert_page.tasks()),
        "chosen": chosen,
    }


def _channel(request: HtmxHttpRequest, name: str, *, status: int = 200, **facts: Any) -> HttpResponse:
    try:
        page = alert_page.channel(name)
    except UnknownChannel as problem:
        raise Http404(str(problem)) from None
    channel = page.line.channel
    saved = {name: getattr(channel, name) for name in ("kinds", "tasks", "is_on", "is_reminded")}
    facts |= {"page": page, **_fields(facts.get("chosen") or saved)}
    return render(request, "housekeeping/channel_detail.html", facts, status=status)


def _alerts(request: HtmxHttpRequest, *, status: int = 200, **facts: Any) -> HttpResponse:
    page, is_fragment = alert_page.read(request.GET), polls.is_fragment(request)
    tag = polls.tag(request, _fingerprint(page, request.GET.urlencode()))
    if is_fragment and polls.is_unchanged(request, tag):
        return HttpResponse(status=304)
    facts |= {"page": page, "tag": tag, "place": f"?{request.GET.urlencode()}" if request.GET else ""}
    if not is_fragment:
        facts |= {"ways": WAYS.items(), **_fields(facts.get("chosen") or NEW)}
    template = "_alerts.html" if is_fragment else "alert_list.html"
    answer = render(request, f"housekeeping/{template}", facts, status=status)
    if is_fragment:
        answer["HX-PTag"] = tag
    return answer


def _fingerprint(page: AlertPage, place: str) -> str:
    incidents = [(one.incident.pk, one.incident.text, one.incident.told) for one in page.incidents]
    known = [
        (one.channel.name, one.channel.is_on, one.to, one.kinds, one.channel.tasks) for one in page.channels
    ]
    sent = [(one.message.pk, one.state, one.message.answer, one.message.attempts) for one in page.messages]
    watchers = [
        (one.watcher.last and one.watcher.last.pk, one.state, one.watcher.waiting) for one in page.watchers
    ]
    return polls.fingerprint(place, incidents, known, sent, page.shown.older, watchers)
