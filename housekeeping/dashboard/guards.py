"""Who may see a page, and who may act on it."""

from collections.abc import Callable
from functools import wraps
from posixpath import dirname
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from housekeeping import conf, rights
from housekeeping.dashboard import questions, unsent, zones
from housekeeping.dashboard.polls import HtmxHttpRequest


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As login_required, with four differences.

    The page is in the reader's time zone. htmx is told to reload the page: it would put the sign-in page in
    place of a fragment. After an act, signing in leads to the page that it was done on: the address of an
    act shows nothing. What was typed into a form is in it again then.
    """
    guarded = login_required(view)

    @wraps(view)
    def guard(request: HtmxHttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated and (request.method == "POST" or request.htmx):
            return _signed_out(request)
        with zones.of_reader(request):
            return unsent.forget(request, guarded(request, *args, **kwargs))

    return guard


def _signed_out(request: HtmxHttpRequest) -> HttpResponse:
    form_page = unsent.page_of(request)
    if request.htmx and not form_page:
        return HttpResponseClientRefresh()
    messages.warning(request, gettext("You were signed out; nothing was done."))
    sign_in = redirect_to_login(form_page or page_of(request))
    answer = HttpResponseClientRedirect(sign_in.url) if request.htmx else sign_in
    if request.method == "POST":
        unsent.keep(request, answer)
    return answer


def sign_in_confirmed(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Before a harmful act is done, let the project's HOUSEKEEPING_CONFIRM_SIGN_IN ask something instead.

    Its question is sent to the address of the act, with what was sent now, and so the act goes on.
    """

    @wraps(view)
    def guard(request: HtmxHttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        question = conf.confirm_sign_in(request) if request.method == "POST" else None
        if question is None:
            return view(request, *args, **kwargs)
        return questions.in_dialog(question) if request.htmx else cast(HttpResponse, question)

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
