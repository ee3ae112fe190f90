"""The first page, the trends, and acts on all schedules."""

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import acting, answers, polls
from housekeeping.dashboard.acting import actor
from housekeeping.dashboard.guards import may_operate, may_view, signed_in
from housekeeping.dashboard.pages import overview as overview_page
from housekeeping.dashboard.parts import charts
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.journal import tallies
from housekeeping.models import Snapshot
from housekeeping.runs import schedules

TREND_DAYS = ("7", "30", "90")
MOST_SNAPSHOTS = 1_000


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def overview(request: HtmxHttpRequest) -> HttpResponse:
    tag = polls.tag(request, overview_page.fingerprint(clock.roughly()))
    if request.htmx and polls.is_unchanged(request, tag):
        return HttpResponse(status=304)
    template = "_overview.html" if request.htmx else "overview.html"
    return polls.tagged(request, template, acting.overview_facts(), tag)


@require_safe
@signed_in
@may_view
def trends(request: HtmxHttpRequest) -> HttpResponse:
    days = int(asked) if (asked := request.GET.get("days", "")) in TREND_DAYS else 30
    now = clock.roughly()
    newest = Snapshot.objects.filter(taken_at__gte=now - timedelta(days=days))[:MOST_SNAPSHOTS]
    shown = charts.trends(tallies.since(now, days), list(newest)[::-1], tallies.day_of(now), days)
    facts = {"charts": shown, "days": str(days), "choices": TREND_DAYS}
    return render(request, "housekeeping/trends.html", facts)


@require_POST
@signed_in
@may_operate
def pause_all(request: HtmxHttpRequest) -> HttpResponse:
    schedules.pause_all(by=actor(request))
    answers.give(request, gettext("All schedules are paused."), beside="schedules")
    return acting.show_overview(request)


@require_POST
@signed_in
@may_operate
def resume_all(request: HtmxHttpRequest) -> HttpResponse:
    schedules.resume_all(by=actor(request))
    answers.give(request, gettext("All schedules are resumed."), beside="schedules")
    return acting.show_overview(request)
