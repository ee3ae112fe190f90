"""The page of tables, and the page of one table with a policy for it."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from housekeeping.dashboard.guards import may_view, signed_in
from housekeeping.dashboard.pages import tables as table_page
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.exceptions import UnknownTable


@require_safe
@signed_in
@may_view
def table_list(request: HtmxHttpRequest) -> HttpResponse:
    page = table_page.read(request.GET)
    facts = {"page": page, "sorts": table_page.SORTS}
    return render(request, "housekeeping/table_list.html", facts, status=400 if page.problem else 200)


@require_safe
@signed_in
@may_view
def table_detail(request: HtmxHttpRequest, name: str) -> HttpResponse:
    try:
        page = table_page.read_one(name, request.GET)
    except UnknownTable as error:
        raise Http404(str(error)) from None
    return render(
        request, "housekeeping/table_detail.html", {"page": page}, status=400 if page.problem else 200
    )
