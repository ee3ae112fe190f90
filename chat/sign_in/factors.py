"""Who has a second factor, who needs one, and the check of a code that comes with a request for tokens."""

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings

from chat.models import User
from chat.sign_in.factor_forms import AuthenticateForm

# Recovery codes are not among them: they only stand in for one of these.
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
RIGHTS = ("housekeeping.operate", "housekeeping.configure")


class WrongCode(Exception):
    """The code does not fit, or was used before."""


class TooManyCodes(Exception):
    """So many codes were wrong that none is looked at for a while."""


def has_one(user: User) -> bool:
    return bool(is_mfa_enabled(user, FACTORS))


def is_missing(user: User) -> bool:
    """Does the site demand a second factor of this account, and it has none?"""
    return bool(settings.SECOND_FACTOR_REQUIRED) and _may_act(user) and not has_one(user)


def _may_act(user: User) -> bool:
    return user.is_staff or any(user.has_perm(right) for right in RIGHTS)


def check(user: User, code: str) -> None:
    """Use up ``code``, of the app or for recovery. Raises WrongCode, TooManyCodes.

    It can be used once, and wrong ones count together with those of the sign-in page.
    """
    form = AuthenticateForm(user=user, data={"code": code})
    if form.is_valid():
        form.authenticator.record_usage()
        return
    if form.has_error("code", "too_many_login_attempts"):
        raise TooManyCodes
    raise WrongCode
