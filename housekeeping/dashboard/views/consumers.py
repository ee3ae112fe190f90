"""The page of the consumers, and of what their workers do."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import polls
from housekeeping.dashboard.guards import may_view, signed_in
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.reading import workers


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def consumer_list(request: HtmxHttpRequest) -> HttpResponse:
    found = workers.read(clock.roughly())
    template = "_workers.html" if polls.is_fragment(request) else "consumer_list.html"
    return render(request, f"housekeeping/{template}", {"workers": found})
