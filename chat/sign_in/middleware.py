"""A site that demands a second factor shows nothing else to an account that lacks one."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect

from chat.sign_in import factors
from site_config.api import is_api

# What an account without a second factor may open: the pages to set one up, and the way out.
OPEN = {
    "login",
    "logout",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_authenticate",
    "mfa_index",
    "mfa_login_webauthn",
    "mfa_view_recovery_codes",
    "password",
}


class SecondFactor:
    """Middleware: leads to the page of the account. The API takes no sessions, and asks by itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, options: Any) -> HttpResponse | None:
        if not settings.SECOND_FACTOR_REQUIRED or _is_open(request):
            return None
        if not request.user.is_authenticated or not factors.is_missing(request.user):
            return None
        if "HX-Request" in request.headers:
            return HttpResponseClientRedirect(reverse("mfa_index"))
        messages.warning(
            request, gettext("Set up a second factor first: this site demands one of your account.")
        )
        return redirect("mfa_index")


def _is_open(request: HttpRequest) -> bool:
    match = request.resolver_match
    return is_api(request) or (match is not None and match.url_name in OPEN)
