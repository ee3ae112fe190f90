"""The forms that check a code or a passkey: django-allauth's, and each refusal is a failed sign-in on record.

The library's own signal is sent for wrong codes alone.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from allauth.core import context
from allauth.mfa.base import forms as base
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as webauthn
from allauth.mfa.webauthn.internal.auth import extract_user_from_response
from django.core.exceptions import ValidationError

from chat import sign_ins
from chat.models import User

logger = logging.getLogger(__name__)


class _Code(base.BaseAuthenticateForm):
    def clean_code(self) -> str:
        with _recorded("code", self.user):
            return str(super().clean_code())


class AuthenticateForm(_Code, base.AuthenticateForm):
    pass


class ReauthenticateForm(_Code, base.ReauthenticateForm):
    pass


class _Passkey(webauthn.AuthenticateWebAuthnForm):
    def clean_credential(self) -> Authenticator:
        user = self.user or _named_by(self.cleaned_data["credential"])
        with _recorded("passkey", user):
            return super().clean_credential()


class AuthenticateWebAuthnForm(_Passkey):
    pass


class LoginWebAuthnForm(_Passkey, webauthn.LoginWebAuthnForm):
    pass


class ReauthenticateWebAuthnForm(_Passkey, webauthn.ReauthenticateWebAuthnForm):
    pass


def _named_by(credential: object) -> User | None:
    """The account that a passkey claims to belong to, before anything is checked."""
    try:
        user: User = extract_user_from_response(credential)
    except (AttributeError, ValidationError):
        return None
    return user


@contextmanager
def _recorded(what: str, user: User | None) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        facts = (what, user.pk if user else "unknown", context.request.META.get("REMOTE_ADDR", ""))
        if error.code == "too_many_login_attempts":
            logger.warning("A %s of account %s was not looked at after too many wrong ones, from %s.", *facts)
        else:
            sign_ins.factor_refused(context.request, user)
            logger.warning("A %s of account %s was refused, from %s.", *facts)
        raise
