"""The pages to sign in, by password and second factor or by passkey."""

from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.decorators import rate_limit
from allauth.mfa.webauthn.views import login_webauthn
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse


class SignInPage(LoginView):
    """Django's page. After the password, django-allauth asks for the second factor if there is one.

    Until then, nobody is signed in: the session holds only who gave the right password.
    """

    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        login = Login(user=user, redirect_url=self.get_success_url())
        return cast(
            HttpResponse, perform_password_login(self.request, {"username": user.get_username()}, login)
        )


# Each question for a passkey is a session, and anybody may ask. The library limits the answers alone.
by_passkey = rate_limit(action="passkey_question", limit_get=True)(login_webauthn)


def of_admin(request: HttpRequest, **options: Any) -> HttpResponse:
    """Takes the place of the admin's own page, which would ask for a password alone."""
    if request.user.is_authenticated and not request.user.is_staff:
        raise PermissionDenied  # the page to sign in would lead back here
    page = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
    return redirect(f"{reverse('login')}?{urlencode({REDIRECT_FIELD_NAME: page})}")
