"""Accounts: registering one, verifying its mail address, warning its owner before it is deleted."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils.translation import gettext as _

from chat import mail
from chat.clock import Now
from chat.models import NEVER_VERIFIED, User
from housekeeping import record_act

_SALT = "chat.verify"
# A domain that never receives mail (RFC 2606).
NOWHERE = "nowhere.invalid"


class AlreadyTaken(Exception):
    """Another account has this name."""

    def __init__(self) -> None:
        super().__init__("That username is taken.")


class BadVerificationLink(Exception):
    """The link is damaged or too old, or its account can't be verified any more."""


class WrongPassword(Exception):
    """The password is not the one that the account was registered with."""

    def __init__(self) -> None:
        super().__init__(_("This is not the password of this registration."))


def register(username: str, email: str, password: str) -> User:
    """Create an account that can't sign in yet, and mail its verification link to ``email``.

    Several registrations may wait for one address, since anyone can claim one. The first registration
    stores the address; later ones carry it only in their signed link. The first that is verified gets it.
    If the address belongs to a verified account, its owner gets a mail that says so: the caller must not
    learn which addresses have accounts.

    Raises AlreadyTaken if the name is taken (names are public), and what the mail backend raises. If
    the mail can't be sent, the account is deleted, so that its name can be registered again.
    """
    email = email.lower()
    holder = _holder(email).first()
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, _nowhere() if holder else email, password)
    except IntegrityError as error:
        if User.objects.filter(username=User.normalize_username(username)).exists():
            raise AlreadyTaken from error
        if holder is None and _holder(email).exists():  # somebody else has just registered it
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
    """The account with this address, in upper or lower case."""
    return User.objects.alias(folded=Lower("email")).filter(folded=email)


def _nowhere() -> str:
    return f"{secrets.token_hex(16)}@{NOWHERE}"


def is_nowhere(email: str) -> bool:
    """Whether this stands in for the address of a registration that waits for another account's address."""
    return email.lower().endswith(f"@{NOWHERE}")


def verification_token(user: User, email: str = "") -> str:
    """A signed token for one mail address: the account's own, or the one that it waits for.

    It is valid for CHAT_VERIFICATION_MAX_AGE.
    """
    return signing.dumps({"user": user.pk, "email": email or user.email}, salt=_SALT)


def read_token(token: str) -> User:
    """The account that ``token`` was made for, with the address that the token verifies.

    Raises BadVerificationLink if the token is damaged or too old, if its account is gone or has a new
    address, or if another account has been verified with the address meanwhile.
    """
    max_age: timedelta = settings.CHAT_VERIFICATION_MAX_AGE
    try:
        claim = signing.loads(token, salt=_SALT, max_age=max_age)
    except signing.SignatureExpired as error:
        raise BadVerificationLink(_("This link is too old. Register again to get a new one.")) from error
    except signing.BadSignature as error:
        raise BadVerificationLink(_("This link is not valid. Open the link in the newest mail.")) from error
    user = User.objects.filter(pk=claim["user"]).first()
    if user and user.email != claim["email"] and is_nowhere(user.email) and not user.is_verified:
        if _holder(claim["email"]).exclude(NEVER_VERIFIED).exists():
            raise BadVerificationLink(_("Another account has been verified with this mail address."))
        user.email = claim["email"]
    if user is None or user.email != claim["email"]:
        raise BadVerificationLink(_("The account of this link no longer exists."))
    return user


def verify(token: str, password: str) -> User:
    """Verify the account that ``token`` was made for, given its password, and let it sign in.

    The password is needed because an attacker could register with a stranger's address and have the
    stranger verify it. An account without a password needs none. Using a token again changes nothing: an
    old link does not reactivate an account that an administrator has deactivated. Raises
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
        read_token(token)  # raises if another account that waited for the address was faster
        raise
    return read_token(token)


def password_changed(user: User, request: HttpRequest) -> None:
    """Record that ``user`` has set a new password, and tell the owner of the account by mail.

    Call it in the transaction of the change.
    """
    record_act(request, "change password", user, by=user)
    tell_of_new_password(user, request, is_own=True)


def password_set_by_command(user: User) -> None:
    """The same, after somebody with a shell on this machine has set it."""
    with transaction.atomic():
        record_act(None, "change password", user)
        tell_of_new_password(user, None, is_own=False)


def tell_of_new_password(user: User, request: HttpRequest | None, *, is_own: bool) -> None:
    """Mail the owner, if the account has an address. ``is_own``: it was not an administrator."""
    if user.email and not is_nowhere(user.email):
        address = request.META.get("REMOTE_ADDR", "") if request else ""
        mail.send_password_changed(user, is_own=is_own, address=address)


def tell_of_changes(user: User, changes: list[str], *, email: str) -> None:
    """Mail the owner, if ``email`` is an address, what an administrator has changed: a sentence for each.

    Call it in the transaction of the change, with the address from before it.
    """
    if email and not is_nowhere(email):
        mail.send_account_changed(user, email, changes)


def warn_of_deletion(user: User, goes_at: datetime) -> None:
    """Mail ``user`` that the account is deleted after ``goes_at`` unless verified, and mark it as warned.

    The mail comes first: if the process dies between the two steps, the account is mailed again, and never
    deleted without a warning. Raises what the mail backend raises, and ValueError if there is no
    address; then the account is not marked.
    """
    if not is_nowhere(user.email):
        mail.send_deletion_warning(user, verification_token(user), goes_at)
    User.objects.filter(pk=user.pk).update(deletion_warned_at=Now())
