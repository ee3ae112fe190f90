"""The page of acts: who did what to what, when and from where."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import act_lines, polls
from housekeeping.dashboard.filters import ActFilters
from housekeeping.dashboard.guards import may_view, signed_in
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.declared import registry
from housekeeping.declared.policies import in_days
from housekeeping.journal import acts as core
from housekeeping.models import Act
from housekeeping.reading import search


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def act_list(request: HtmxHttpRequest) -> HttpResponse:
    filters = ActFilters(request.GET)
    is_fragment = polls.is_fragment(request)
    if not filters.is_tidy() and not is_fragment:
        return redirect(reverse("housekeeping:acts") + filters.address)
    facts: dict[str, Any] = {"filters": filters}
    if filters.is_valid():
        shown = _slice(request, filters)
        tag = polls.tag(request, _fingerprint(shown, filters))
        is_newest = not shown.newer
        if is_newest and polls.is_unchanged(request, tag):
            return HttpResponse(status=304)
        facts |= {"shown": shown, "lines": act_lines.lines(shown.rows), "is_newest": is_newest, "tag": tag}
    if not is_fragment:
        facts["kept_days"] = _kept_days()
    template = "_acts.html" if is_fragment else "act_list.html"
    answer = render(request, f"housekeeping/{template}", facts, status=200 if filters.is_valid() else 400)
    if is_fragment:
        answer["HX-PTag"] = facts.get("tag", "")
        answer["HX-Replace-Url"] = reverse("housekeeping:acts") + filters.address
    return answer


def _kept_days() -> float | None:
    """The retention of acts; None without the app's own upkeep, which could not be imported."""
    policy = registry.policies().get("acts")
    return in_days(policy.retention_in_force()) if policy else None


def _fingerprint(shown: search.Slice[Act], filters: ActFilters) -> str:
    """Acts don't change, except that one whose run could not be sent is marked as failed later."""
    return polls.fingerprint(filters.address, [(act.pk, act.details.get("failed")) for act in shown.rows])


def _slice(request: HtmxHttpRequest, filters: ActFilters) -> search.Slice[Act]:
    shown, is_there = search.slice_or_newest(core.history(filters.cleaned_data), "done_at", filters.query)
    if not is_there:
        messages.warning(request, gettext("This part of the list does not exist. These are the newest acts."))
    return shown
