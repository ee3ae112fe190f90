"""How the site answers errors: with JSON below /api/, with a page elsewhere."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views import csrf, defaults

from housekeeping.api.rules import problems
from housekeeping.exceptions import outage_of
from site_config.api import is_api

logger = logging.getLogger(__name__)

SIGN_IN = ("login", "mfa_authenticate", "mfa_login_webauthn")  # by password, by code and by passkey


class DatabaseOutage:
    """Middleware: answers 503, with one line in the log, if the database is lost or refuses writes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return _outage_answer(request, error)


class Sessions(SessionMiddleware):
    """Django's takes a session that the database refuses to save for one that is gone, and answers 400."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            return super().process_response(request, response)
        except SessionInterrupted as error:
            update = error.__context__  # UpdateError, raised where the database refused
            outage = _outage_answer(request, update.__context__) if update and update.__context__ else None
            if outage is None:
                raise
            return outage


def _outage_answer(request: HttpRequest, error: BaseException) -> HttpResponse | None:
    outage = outage_of(error)
    if outage is None:
        return None
    logger.error("%s: %s", outage.english, error)
    if is_api(request):
        return problems.answer(str(outage), "database_unreachable", 503)
    # Rendered without the request, because looking up the signed-in user needs the database, too.
    return HttpResponse(render_to_string("503.html", {"message": str(outage)}), status=503)


def _or_outage(handler: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer an outage of the database in an error page, which looks up the user outside the middleware."""

    @wraps(handler)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return handler(request, *args, **kwargs)
        except Error as error:
            outage = _outage_answer(request, error)
            if outage is None:
                raise
            return outage

    return answer


permission_denied = _or_outage(defaults.permission_denied)


@_or_outage
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW. A sign-in page is too old once somebody has signed in beside it, in another tab."""
    match = request.resolver_match
    if match is not None and match.url_name in SIGN_IN and request.user.is_authenticated:
        return redirect(_page_asked_for(request))
    return csrf.csrf_failure(request, reason)


def _page_asked_for(request: HttpRequest) -> str:
    page = LoginView()
    page.setup(request)
    return str(page.get_success_url())  # checks that it is a page of this site


@_or_outage
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return problems.answer("The request is malformed.", "bad_request", 400)
    return defaults.bad_request(request, exception)


@_or_outage
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return problems.answer("There is nothing at this address.", "not_found", 404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_api(request):
        return problems.answer("The site failed. The error is in its log.", "error", 500)
    return defaults.server_error(request)


@_or_outage
def too_many_sign_ins(
    request: HttpRequest, answer: HttpResponse | None = None, credentials: Any = None
) -> HttpResponse:
    """AXES_LOCKOUT_CALLABLE. The answer is the same for every client and every account."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    if is_api(request):
        message = f"Too many sign-ins have failed. Try again in {seconds // 60} minutes."
        answer = problems.answer(message, "locked_out", 429)
    else:
        answer = render(request, "429.html", {"minutes": seconds // 60}, status=429)
    answer["Retry-After"] = str(seconds)
    return answer
