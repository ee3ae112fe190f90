"""Accounts: how one is made, how its mail address is verified, how it is told that it will go."""

import secrets
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _

from chat import mail
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


def register(username: str, email: str, password: str) -> User:
    """Make an account that can't sign in yet, and mail it its verification link.

    Who asks must not learn from it which addresses have accounts. Where this one has, its
    owner gets a mail that says so, and the new account gets an address that can't be reached:
    it takes the name as any other would, can't be verified, and goes like all that never were.
    An account that was never verified owns no address: whoever made it may have made up that the
    address is theirs. It is the one that is left with an address that can't be reached.

    Raises AlreadyTaken for a name (names are public), and what the mail backend raises: where
    the mail can't be sent, the account is not kept, so that the same name can be registered again.
    """
    email = email.lower()
    aside, owner = _nowhere(), None
    try:
        with transaction.atomic():
            _holder(email).filter(NEVER_VERIFIED).update(email=aside)
            owner = _holder(email).exclude(NEVER_VERIFIED).first()
            user = User.objects.create_user(username, _nowhere() if owner else email, password)
    except IntegrityError as error:
        if User.objects.filter(username=User.normalize_username(username)).exists():
            raise AlreadyTaken from error
        if owner is None and _holder(email).exists():  # registered by somebody else at this very moment
            return register(username, email, password)
        raise
    try:
        if owner is None:
            mail.send_verification(user, verification_token(user))
        else:
            mail.send_already_registered(owner)
    except Exception:
        user.delete()
        with suppress(IntegrityError), transaction.atomic():  # registered by somebody else meanwhile
            _holder(aside).update(email=email)
        raise
    return user


def _holder(email: str) -> QuerySet[User]:
    """The account with this address, in whichever case it was written."""
    return User.objects.alias(folded=Lower("email")).filter(folded=email)


def _nowhere() -> str:
    return f"{secrets.token_hex(16)}@{NOWHERE}"


def verification_token(user: User) -> str:
    """A signed token, good for CHAT_VERIFICATION_MAX_AGE and for this mail address alone."""
    return signing.dumps({"user": user.pk, "email": user.email}, salt=_SALT)


def verify(token: str) -> User:
    """Verify the account that ``token`` was made for and let it sign in.

    A second use changes nothing: an account that an administrator has deactivated
    since is not brought back by its old link. Raises BadVerificationLink.
    """
    max_age: timedelta = settings.CHAT_VERIFICATION_MAX_AGE
    try:
        claim = signing.loads(token, salt=_SALT, max_age=max_age)
    except signing.SignatureExpired as error:
        raise BadVerificationLink(_("This link is too old. Register again to get a new one.")) from error
    except signing.BadSignature as error:
        raise BadVerificationLink(_("This is not a link of ours. Use the newest mail as it is.")) from error

    User.objects.filter(pk=claim["user"], email=claim["email"], email_verified_at=None).update(
        email_verified_at=timezone.now(), is_active=True
    )
    try:
        return User.objects.exclude(email_verified_at=None).get(pk=claim["user"], email=claim["email"])
    except User.DoesNotExist as error:
        raise BadVerificationLink(_("The account of this link no longer exists.")) from error


def warn_of_deletion(user: User, goes_at: datetime) -> None:
    """Mail ``user`` that the account goes after ``goes_at`` unless it is verified, and mark it as warned.

    The mail comes first: a process that dies between the two leaves an account that is
    mailed again, never one that goes unwarned. Raises what the mail backend raises, and
    ValueError where there is no address; the account is not marked then.
    """
    if not user.email.endswith(f"@{NOWHERE}"):  # of a registration with an address that was taken
        mail.send_deletion_warning(user, verification_token(user), goes_at)
    User.objects.filter(pk=user.pk).update(deletion_warned_at=timezone.now())
