"""Who may see a page, and who may act on it."""

from collections.abc import Callable
from functools import wraps
from posixpath import dirname
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRefresh

from housekeeping import rights
from housekeeping.dashboard import zones
from housekeeping.dashboard.polls import HtmxHttpRequest


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As login_required, with three differences.

    The page is in the reader's time zone. htmx is told to reload the page: it would put the sign-in page in
    place of a fragment. After an act, signing in leads to the page that it was done on: the address of an
    act shows nothing.
    """
    guarded = login_required(view)

    @wraps(view)
    def guard(request: HtmxHttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.htmx and not request.user.is_authenticated:
            return HttpResponseClientRefresh()
        if request.method == "POST" and not request.user.is_authenticated:
            messages.warning(request, gettext("You were signed out; nothing was done."))
            return redirect_to_login(page_of(request))
        with zones.of_reader(request):
            return guarded(request, *args, **kwargs)

    return guard


def page_of(act: HttpRequest) -> str:
    """The page that an act is done on: the address above the act's own, if there is a page."""
    try:
        resolve(dirname(act.path_info))
    except Resolver404:
        return reverse("housekeeping:overview")
    return dirname(act.path)


# The answer to an act shows a page, so everybody who acts here must also have the right to view.
may_view = permission_required(rights.VIEW, raise_exception=True)
may_configure = permission_required([rights.VIEW, rights.CONFIGURE], raise_exception=True)
may_operate = permission_required([rights.VIEW, rights.OPERATE], raise_exception=True)
