"""An authenticator app, as tests hold it."""

import time

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth

PERIOD = 30


def given(user):
    """Set up an authenticator app and recovery codes. Returns the app's secret and the codes."""
    secret = auth.generate_totp_secret()
    auth.TOTP.activate(user, secret)
    return secret, RecoveryCodes.activate(user).generate_codes()


def code(secret, *, ago=0):
    """The code that the app shows, or showed ``ago`` periods ago. Waits if it is about to change."""
    if (left := PERIOD - time.time() % PERIOD) < 3:
        time.sleep(left)
    return auth.format_hotp_value(auth.hotp_value(secret, int(time.time()) // PERIOD - ago))


def has(user, kind="totp"):
    return Authenticator.objects.filter(user=user, type=kind).exists()
