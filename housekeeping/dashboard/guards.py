"""Who may see a page, and who may act on it."""

from collections.abc import Callable
from functools import wraps
from posixpath import dirname
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRefresh

from housekeeping import rights
from housekeeping.dashboard.polls import HtmxHttpRequest


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As login_required; but htmx, which would swap the sign-in page in, is told to load anew.

    And who is signed in again after an act is led to a page: the act's own address has none.
    """
    guarded = login_required(view)

    @wraps(view)
    def guard(request: HtmxHttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.htmx and not request.user.is_authenticated:
            return HttpResponseClientRefresh()
        if request.method == "POST" and not request.user.is_authenticated:
            messages.warning(request, gettext("You were signed out; nothing was done."))
            return redirect_to_login(page_of(request.path))
        return guarded(request, *args, **kwargs)

    return guard


def page_of(act: str) -> str:
    """The page of what was acted on: the address above the act's own, where there is one."""
    try:
        resolve(dirname(act))
    except Resolver404:
        return reverse("housekeeping:overview")
    return dirname(act)


# An act is answered with the page that it was done on: who acts here must be allowed to see, too.
may_view = permission_required(rights.VIEW, raise_exception=True)
may_configure = permission_required([rights.VIEW, rights.CONFIGURE], raise_exception=True)
may_operate = permission_required([rights.VIEW, rights.OPERATE], raise_exception=True)
