"""Accounts: how one is made, how its mail address is verified, how it is told that it will go."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from chat import mail
from chat.clock import Now
from chat.models import NEVER_VERIFIED, User

_SALT = "chat.verify"
# No mail leads there, nor ever will (RFC 2606).
NOWHERE = "nowhere.invalid"


class AlreadyTaken(Exception):
    """Another account has this name."""

    def __init__(self) -> None:
        super().__init__("That username is taken.")


class BadVerificationLink(Exception):
    """The link was changed on its way, is too old, or its account can't be verified any more."""


class WrongPassword(Exception):
    """Not the password that the account was registered with."""

    def __init__(self) -> None:
        super().__init__(_("This is not the password of this registration."))


def register(username: str, email: str, password: str) -> User:
    """Make an account that can't sign in yet, and mail it its verification link.

    Several registrations may wait for one address, as whoever asks may have made up that it is
    theirs. The first registration stores the address; later ones carry it only in their signed
    link. The first that is verified gets it. Where the address has a verified account, its owner
    gets a mail that says so instead: whoever asks must not learn which addresses have accounts.

    Raises AlreadyTaken for a name (names are public), and what the mail backend raises: where
    the mail can't be sent, the account is not kept, so that the same name can be registered again.
    """
    email = email.lower()
    holder = _holder(email).first()
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, _nowhere() if holder else email, password)
    except IntegrityError as error:
        if User.objects.filter(username=User.normalize_username(username)).exists():
            raise AlreadyTaken from error
        if holder is None and _holder(email).exists():  # registered by somebody else at this very moment
            return register(username, email, password)
        raise
    try:
        if holder and not _holder(email).filter(NEVER_VERIFIED).exists():
            mail.send_already_registered(holder)
        else:
            mail.send_verification(user, email, verification_token(user, email))
    except Exception:
        user.delete()
        raise
    return user


def _holder(email: str) -> QuerySet[User]:
    """The account with this address, in whichever case it was written."""
    return User.objects.alias(folded=Lower("email")).filter(folded=email)


def _nowhere() -> str:
    return f"{secrets.token_hex(16)}@{NOWHERE}"


def is_nowhere(email: str) -> bool:
    """Is this the stand-in of a registration whose address another account has in its row?"""
    return email.lower().endswith(f"@{NOWHERE}")


def verification_token(user: User, email: str = "") -> str:
    """A signed token, good for CHAT_VERIFICATION_MAX_AGE and for one mail address alone: the
    account's own, or the one that its registration waits for."""
    return signing.dumps({"user": user.pk, "email": email or user.email}, salt=_SALT)


def read_token(token: str) -> User:
    """The account that ``token`` was made for, with the address that it is to verify.

    Raises BadVerificationLink: the token was changed, is too old, or its account is gone, has
    another address by now, or waited for an address that another account has been verified with.
    """
    max_age: timedelta = settings.CHAT_VERIFICATION_MAX_AGE
    try:
        claim = signing.loads(token, salt=_SALT, max_age=max_age)
    except signing.SignatureExpired as error:
        raise BadVerificationLink(_("This link is too old. Register again to get a new one.")) from error
    except signing.BadSignature as error:
        raise BadVerificationLink(_("This is not a link of ours. Use the newest mail as it is.")) from error
    user = User.objects.filter(pk=claim["user"]).first()
    if user and user.email != claim["email"] and is_nowhere(user.email) and not user.is_verified:
        if _holder(claim["email"]).exclude(NEVER_VERIFIED).exists():
            raise BadVerificationLink(_("Another account has been verified with this mail address."))
        user.email = claim["email"]
    if user is None or user.email != claim["email"]:
        raise BadVerificationLink(_("The account of this link no longer exists."))
    return user


def verify(token: str, password: str) -> User:
    """Verify the account that ``token`` was made for and let it sign in, given its password.

    Without the password, whoever registers with a stranger's address could have the stranger
    verify it; an account that has none is let in without. A second use changes nothing: an account
    that an administrator has deactivated since is not brought back by its old link. Raises
    BadVerificationLink, WrongPassword.
    """
    user = read_token(token)
    if user.has_usable_password() and not user.check_password(password):
        raise WrongPassword
    try:
        with transaction.atomic():
            _holder(user.email).filter(NEVER_VERIFIED).exclude(pk=user.pk).update(email=_nowhere())
            User.objects.filter(pk=user.pk, email_verified_at=None).update(
                email=user.email, email_verified_at=Now(), is_active=True
            )
    except IntegrityError:
        read_token(token)  # raises, where another account that waited for the address was faster
        raise
    return read_token(token)


def warn_of_deletion(user: User, goes_at: datetime) -> None:
    """Mail ``user`` that the account goes after ``goes_at`` unless it is verified, and mark it as warned.

    The mail comes first: a process that dies between the two leaves an account that is
    mailed again, never one that goes unwarned. Raises what the mail backend raises, and
    ValueError where there is no address; the account is not marked then.
    """
    if not is_nowhere(user.email):
        mail.send_deletion_warning(user, verification_token(user), goes_at)
    User.objects.filter(pk=user.pk).update(deletion_warned_at=Now())
