"""The question for the password, or the second factor, before a harmful act of who signed in long ago.

A session may have been left open, or stolen. The question takes the place of the answer to the act, and its
form is sent to the act's own address, with all that was typed: once it is answered, the act goes on.
"""

import re
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework.request import Request

from chat import sign_ins, tokens
from chat.sign_in.factor_forms import ReauthenticateForm, ReauthenticateWebAuthnForm
from chat.sign_in.receivers import SIGNED_IN_AT

PREFIX = "confirm"
# Sent by the question when there was no act to go on with, but a page to show.
PAGE = f"{PREFIX}-page"


class Question(forms.Form):
    """One of the fields is enough. Wrong answers count like failed sign-ins."""

    password = forms.CharField(required=False, strip=False)
    code = forms.CharField(required=False, max_length=20)
    credential = forms.CharField(required=False)

    def __init__(self, request: HttpRequest) -> None:
        is_answer = any(f"{PREFIX}-{name}" in request.POST for name in self.base_fields)
        super().__init__(request.POST if is_answer else None, prefix=PREFIX)
        self.request, self.user = request, request.user

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        typed: dict[str, Any] = self.cleaned_data
        if typed.get("password"):
            self._check_password(typed["password"])
        elif typed.get("code"):
            self._check_factor(ReauthenticateForm(user=self.user, data={"code": typed["code"]}), "code")
        elif typed.get("credential"):
            data = {"credential": typed["credential"]}
            self._check_factor(ReauthenticateWebAuthnForm(user=self.user, data=data), "credential")
        else:
            raise ValidationError(_("Enter your password or a code."))
        return typed

    @sensitive_variables("password")
    def _check_password(self, password: str) -> None:
        name = self.user.get_username()
        if authenticate(self.request, username=name, password=password) != self.user:
            raise ValidationError(_("The password is wrong."))
        sign_ins.forget_failures(self.request, name)

    def _check_factor(self, form: Any, field: str) -> None:
        if not form.is_valid():
            raise ValidationError(form.errors[field])
        form.save()


def ask(request: HttpRequest | Request) -> HttpResponse | None:
    """HOUSEKEEPING_CONFIRM_SIGN_IN. None if the sign-in is recent or was just confirmed.

    A token can't be asked: it tells when its account signed in, and a refresh does not change that.
    """
    if isinstance(request, Request):
        return None if _is_recent_token(request.auth) else HttpResponse(status=401)
    if is_recent(request):
        return None
    question = Question(request)
    if not (question.is_bound and question.is_valid()):
        return _asked(request, question)
    _renew(request)
    return redirect(request.get_full_path()) if PAGE in request.POST else None


def confirmed(view: Callable[..., Any]) -> Callable[..., Any]:
    """Ask before the page is shown, too: it may show a secret."""

    @wraps(view)
    def guard(request: HttpRequest, *args: Any, **options: Any) -> Any:
        question = ask(request) if request.user.is_authenticated else None
        return question or view(request, *args, **options)

    return guard


def is_recent(request: HttpRequest) -> bool:
    age = time.time() - request.session.get(SIGNED_IN_AT, 0)
    return bool(age < settings.CONFIRM_SIGN_IN_AFTER.total_seconds())


def _is_recent_token(token: Any) -> bool:
    signed_in_at = token.get(tokens.SIGNED_IN_AT, token.get(tokens.IAT, 0))  # from before the upgrade: IAT
    return bool(time.time() - signed_in_at < settings.CONFIRM_SIGN_IN_AFTER.total_seconds())


def _renew(request: HttpRequest) -> None:
    """A new key, as after a sign-in: whoever knows the old one has not answered."""
    old = request.session.session_key
    request.session.cycle_key()
    request.session[SIGNED_IN_AT] = time.time()
    UserSession.objects.filter(session_key=old).update(session_key=request.session.session_key)


def _asked(request: HttpRequest, question: Question) -> HttpResponse:
    is_page = request.method in ("GET", "HEAD")
    has_passkey = is_mfa_enabled(request.user, [Authenticator.Type.WEBAUTHN])
    facts = {
        "question": question,
        "address": request.get_full_path(),
        "carried": [(PAGE, "yes")] if is_page else list(_carried(request)),
        "has_app": is_mfa_enabled(request.user, [Authenticator.Type.TOTP]),
        "has_passkey": has_passkey,
        "js_data": {"request_options": webauthn.begin_authentication(request.user)} if has_passkey else None,
        "back": _page_before(request),
        "minutes": int(settings.CONFIRM_SIGN_IN_AFTER.total_seconds()) // 60,
        "is_dialog": "HX-Request" in request.headers,
        "target": _target(request),
    }
    template = "registration/_confirm.html" if facts["is_dialog"] else "registration/confirm.html"
    return render(request, template, facts, status=422 if question.is_bound else 200)


def _target(request: HttpRequest) -> str:
    """The part of the page that the act's answer replaces, as htmx 4 names it: ``section#overview``."""
    target = request.headers.get("HX-Target", "")
    return target if re.fullmatch(r"[a-z]+#[\w-]+", target) else ""


def _page_before(request: HttpRequest) -> str:
    page = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if is_ours else reverse("home")


def _carried(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """What was sent with the act, and goes with the answer."""
    for name, values in request.POST.lists():
        if name != "csrfmiddlewaretoken" and not (name.startswith(f"{PREFIX}-") and name != PAGE):
            yield from ((name, value) for value in values)
