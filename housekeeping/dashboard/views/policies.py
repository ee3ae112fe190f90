"""The page of a policy, and acts on its retention."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from housekeeping.dashboard import answers, unsent
from housekeeping.dashboard.acting import actor
from housekeeping.dashboard.guards import may_configure, may_view, sign_in_confirmed, signed_in
from housekeeping.dashboard.pages import policy as policy_page
from housekeeping.dashboard.pages.policy import PolicyPage
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.exceptions import BadRetention, PolicyFailed, UnknownPolicy
from housekeeping.models.text import whole
from housekeeping.reading import policies, words
from housekeeping.steering import retentions


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def policy_detail(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """The policy, and what the retention in ``?retention_days=`` would delete if it were saved."""
    asked = request.GET.get("retention_days")
    if sent := unsent.take(request, "policy-change", beside="retention", pk=pk):
        asked = sent.fields.get("retention_days", "")
    page = _policy_page(pk, asked)
    template = "_effect.html" if request.htmx else "policy_detail.html"
    return render(request, f"housekeeping/{template}", {"page": page})


@require_safe
@signed_in
@may_view
@vary_on_headers("HX-Request")
def policy_preview(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """This counts large tables, so the page of the policy fetches it after it has loaded."""
    page = _policy_page(pk)
    preview, error = None, page.error
    try:
        preview = None if error else policies.preview(pk, clock.roughly())
    except PolicyFailed as failure:  # a preview counts by other retentions, too
        error = str(failure)
    template = "_preview.html" if request.htmx else "policy_detail.html"
    return render(request, f"housekeeping/{template}", {"page": page, "preview": preview, "error": error})


@require_POST
@signed_in
@may_configure
@sign_in_confirmed
def change_retention(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    """Save a retention. A shorter one is saved only after its effect was shown."""
    days = request.POST.get("retention_days", "")
    page = _policy_page(pk, days)
    is_seen = page.effect and request.POST.get("seen") == str(page.effect.days)
    if page.problem or (page.effect and page.effect.is_shorter and not is_seen):
        return render(
            request, "housekeeping/policy_detail.html", {"page": page, "is_refused": True}, status=422
        )
    retentions.change(pk, days, by=actor(request))
    kept = gettext("Rows of %(policy)s are kept for %(days)s days from the next run on.")
    answers.give(
        request, answers.saved(kept % {"policy": pk, "days": words.number(whole(days))}), beside="retention"
    )
    return redirect("housekeeping:policy", pk=pk)


@require_POST
@signed_in
@may_configure
@sign_in_confirmed
def reset_retention(request: HtmxHttpRequest, pk: str) -> HttpResponse:
    page = _policy_page(pk)
    try:
        retentions.reset(pk, by=actor(request))
    except BadRetention as error:
        answers.give(request, answers.not_saved(error), messages.ERROR, beside="retention")
        return redirect("housekeeping:policy", pk=pk)
    kept = gettext("Rows of %(policy)s are kept as declared: %(days)s days.")
    answers.give(
        request, answers.saved(kept % {"policy": pk, "days": page.card.declared_days}), beside="retention"
    )
    return redirect("housekeeping:policy", pk=pk)


def _policy_page(pk: str, days: str | None = None) -> PolicyPage:
    try:
        return policy_page.read(pk, clock.roughly(), retention_days=days)
    except UnknownPolicy as error:
        raise Http404(str(error)) from None
