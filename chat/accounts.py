"""Accounts: how one is made, how its mail address is verified, how it is told that it will go."""

from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import IntegrityError
from django.utils import timezone

from chat import mail
from chat.models import User

_SALT = "chat.verify"


class AlreadyTaken(Exception):
    """``field`` ("username" or "email") holds a value that another account has."""

    def __init__(self, field: str) -> None:
        super().__init__(f"That {field} is taken.")
        self.field = field


class BadVerificationLink(Exception):
    """The link was changed on its way, is too old, or its account can't be verified any more."""


def register(username: str, email: str, password: str) -> User:
    """Make an account that can't sign in yet, and mail it its verification link.

    Raises AlreadyTaken, and what the mail backend raises: where the mail can't be sent,
    the account is not kept, so that the same name can be registered again.
    """
    try:
        user = User.objects.create_user(username, email.lower(), password)
    except IntegrityError as error:
        kept_name = User.normalize_username(username)
        taken = "username" if User.objects.filter(username=kept_name).exists() else "email"
        raise AlreadyTaken(taken) from error
    try:
        mail.send_verification(user, verification_token(user))
    except Exception:
        user.delete()
        raise
    return user


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
        raise BadVerificationLink("This link is too old. Register again to get a new one.") from error
    except signing.BadSignature as error:
        raise BadVerificationLink("This is not a link of ours. Use the newest mail as it is.") from error

    User.objects.filter(pk=claim["user"], email=claim["email"], email_verified_at=None).update(
        email_verified_at=timezone.now(), is_active=True
    )
    try:
        return User.objects.exclude(email_verified_at=None).get(pk=claim["user"], email=claim["email"])
    except User.DoesNotExist as error:
        raise BadVerificationLink("The account of this link no longer exists.") from error


def warn_of_deletion(user: User, goes_at: datetime) -> None:
    """Mail ``user`` that the account goes after ``goes_at`` unless it is verified, and mark it as warned.

    The mail comes first: a process that dies between the two leaves an account that is
    mailed again, never one that goes unwarned. Raises what the mail backend raises, and
    ValueError where there is no address; the account is not marked then.
    """
    mail.send_deletion_warning(user, verification_token(user), goes_at)
    User.objects.filter(pk=user.pk).update(deletion_warned_at=timezone.now())
