"""The page of the settings in force."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from housekeeping.dashboard.guards import may_view, signed_in
from housekeeping.dashboard.pages import settings as settings_page
from housekeeping.dashboard.polls import HtmxHttpRequest


@require_safe
@signed_in
@may_view
def setting_list(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "housekeeping/setting_list.html", {"groups": settings_page.read()})
