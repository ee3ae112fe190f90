"""Refresh tokens: each is good for one use, and one that is used twice ends all that came of it."""

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

FAMILY = "family"


class UsedTwice(TokenError):
    """``token`` was used up before."""

    def __init__(self, token: RefreshToken) -> None:
        super().__init__("Token is blacklisted")
        self.token = token


class RotatingToken(RefreshToken):
    """A refresh token on its way to being used up.

    The tokens that follow from one sign-in are a family. A used one that comes again was
    copied, by its owner's enemy or from its owner: nobody can tell which of the two holds
    the newest, so the whole family ends, and the owner signs in again. Whoever uses one up
    does so within ``one_use``.
    """

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

    def check_blacklist(self) -> None:
        try:
            super().check_blacklist()
        except TokenError as error:
            raise UsedTwice(self) from error

    def blacklist(self) -> Any:
        """Use the token up. Of two requests with it at the same moment, one gets a pair."""
        _take_turns(self)
        made: Any = super().blacklist()  # (row, whether it is new), whatever its type says
        row, is_first = made
        if not is_first:
            raise UsedTwice(self)
        self.payload.setdefault(FAMILY, self.payload[api_settings.JTI_CLAIM])
        return row, is_first


@contextmanager
def one_use() -> Iterator[None]:
    """Around all that is done with a token: to use it up and to give the next one is one transaction.

    Who ends a family waits for it, and so finds the newest token of it, too. The family of
    one that was used before ends once the transaction is over, which would undo it.
    """
    try:
        with transaction.atomic():
            yield
    except UsedTwice as error:
        end_family(error.token)
        raise


@transaction.atomic
def end_family(token: RefreshToken) -> None:
    """Blacklist each living token that came of the same sign-in as ``token``."""
    _take_turns(token)
    living = OutstandingToken.objects.filter(
        user_id=token.get(api_settings.USER_ID_CLAIM),
        blacklistedtoken=None,
        expires_at__gt=token.current_time,
    )
    relatives = [BlacklistedToken(token=row) for row in living if family(_claims(row)) == family(token)]
    BlacklistedToken.objects.bulk_create(relatives, ignore_conflicts=True)


def _take_turns(token: RefreshToken) -> None:
    """Whoever comes second, with any token of the account, waits until the first has committed.

    The account's row is what is always there: the rows of old tokens are purged.
    """
    account = User.objects.filter(pk=token.get(api_settings.USER_ID_CLAIM) or 0)
    list(account.select_for_update(no_key=True).values_list("pk"))


def _keep_unsigned(token: RefreshToken) -> None:
    """The row of a token keeps what it says and not its signature: who reads the database, a
    backup or Django's admin finds no token that can be used."""
    claims, _, _ = str(token).rpartition(".")
    OutstandingToken.objects.filter(jti=token[api_settings.JTI_CLAIM]).update(token=f"{claims}.")


def family(claims: Any) -> str:
    """The id of the token that the sign-in gave."""
    return str(claims.get(FAMILY) or claims.get(api_settings.JTI_CLAIM))


def _claims(row: OutstandingToken) -> Any:
    return UntypedToken(row.token, verify=False)  # type: ignore[arg-type]
