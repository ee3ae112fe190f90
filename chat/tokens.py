"""Refresh tokens: each can be used once. A second use ends every token of the same sign-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import transaction
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken, UntypedToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from chat.models import User
from chat.sign_in import factors

FAMILY = "family"
# As OpenID Connect names them: how and when the account signed in. A refreshed token keeps them.
METHODS = "amr"
SIGNED_IN_AT = "auth_time"
IAT = "iat"


class UsedTwice(TokenError):
    """``token`` has been used before."""

    def __init__(self, token: RefreshToken) -> None:
        super().__init__("Token is blacklisted")
        self.token = token


class RotatingToken(RefreshToken):
    """A refresh token that can be used once.

    All tokens that follow from one sign-in are a family. A reused token has been stolen; we can't tell
    whether the thief or the owner holds the newest one, so the whole family ends and the owner signs in
    again. Use a token only within ``one_use``.
    """

    @classmethod
    def by_sign_in(cls, user: User, *, has_code: bool) -> "RotatingToken":
        """``has_code``: whether the code of a second factor was given. All tokens of the family tell it."""
        token = cls.for_user(user)
        token[METHODS] = ["pwd", "otp"] if has_code else ["pwd"]
        token[SIGNED_IN_AT] = token[IAT]
        _keep_unsigned(token)
        return token

    @classmethod
    def for_user(cls, user: Any) -> "RotatingToken":
        token: Any = super().for_user(user)
        _keep_unsigned(token)
        return cast("RotatingToken", token)

    def outstand(self) -> Any:
        kept = super().outstand()
        _keep_unsigned(self)
        return kept

    def verify(self) -> None:
        super().verify()
        user = User.objects.filter(pk=self.payload.get(api_settings.USER_ID_CLAIM) or 0).first()
        known = self.payload.get(api_settings.REVOKE_TOKEN_CLAIM)
        if user is None or known != get_md5_hash_password(user.password):
            raise TokenError("The account is gone, or its password has changed.")
        if "otp" not in self.payload.get(METHODS, ()) and (factors.has_one(user) or factors.is_missing(user)):
            raise TokenError("The account has got a second factor since. Sign in with it.")

    def check_blacklist(self) -> None:
        try:
            super().check_blacklist()
        except TokenError as error:
            raise UsedTwice(self) from error

    def blacklist(self) -> Any:
        """Mark the token as used. Of two simultaneous requests with it, only one gets a new pair."""
        _take_turns(self)
        made: Any = super().blacklist()  # (row, whether it is new); its annotation is wrong
        row, is_first = made
        if not is_first:
            raise UsedTwice(self)
        self.payload.setdefault(FAMILY, self.payload[api_settings.JTI_CLAIM])
        return row, is_first


@contextmanager
def one_use() -> Iterator[None]:
    """Wrap everything that is done with a token, so that using it and issuing the next is one transaction.

    ``end_family`` waits for that transaction, and so finds the family's newest token, too. When a token is
    reused, its family ends after the transaction, whose rollback would otherwise undo that.
    """
    try:
        with transaction.atomic():
            yield
    except UsedTwice as error:
        end_family(error.token)
        raise


@transaction.atomic
def end_family(token: RefreshToken) -> None:
    """Blacklist every valid token that followed from the same sign-in as ``token``."""
    _take_turns(token)
    living = OutstandingToken.objects.filter(
        user_id=token.get(api_settings.USER_ID_CLAIM),
        blacklistedtoken=None,
        expires_at__gt=token.current_time,
    )
    relatives = [BlacklistedToken(token=row) for row in living if family(_claims(row)) == family(token)]
    BlacklistedToken.objects.bulk_create(relatives, ignore_conflicts=True)


def _take_turns(token: RefreshToken) -> None:
    """Let requests with any token of one account wait for each other to commit.

    Locks the account's row, which is always there: the rows of old tokens are purged.
    """
    account = User.objects.filter(pk=token.get(api_settings.USER_ID_CLAIM) or 0)
    list(account.select_for_update(no_key=True).values_list("pk"))


def _keep_unsigned(token: RefreshToken) -> None:
    """Remove the signature from the stored token.

    Someone who reads the database, a backup or Django's admin then finds no token that works.
    """
    claims, _, _ = str(token).rpartition(".")
    OutstandingToken.objects.filter(jti=token[api_settings.JTI_CLAIM]).update(token=f"{claims}.")


def family(claims: Any) -> str:
    """The id of the first token of the sign-in."""
    return str(claims.get(FAMILY) or claims.get(api_settings.JTI_CLAIM))


def _claims(row: OutstandingToken) -> Any:
    return UntypedToken(row.token, verify=False)  # type: ignore[arg-type]
