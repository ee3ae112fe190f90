"""The mails to the owner of an account.

A request does not wait for a mail server: its mails go through the backend EMAIL_OUTBOX. If that is not
set, they are sent at once by EMAIL_BACKEND. Warnings are sent at once, by the task that warns.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.module_loading import import_string

from chat.models import User


def send_verification(user: User, email: str, token: str) -> None:
    """Send to ``email`` the link that verifies ``user`` with this address.

    Raises what the mail backend raises (OSError, SMTPException).
    """
    template = "chat/verification_mail.txt"
    _send(user, email, "Verify your mail address", template, token, outbox=_outbox())


def send_deletion_warning(user: User, token: str, goes_at: datetime) -> None:
    """Tell the owner that the account is kept until ``goes_at``, with the link that verifies it.

    Raises ValueError if the account has no address, and what the mail backend raises.
    """
    if not user.email:  # Django would silently send nothing
        raise ValueError("The account has no mail address.")
    template = "chat/deletion_warning_mail.txt"
    _send(user, user.email, "Your account will be removed", template, token, goes_at=goes_at)


def _outbox() -> str | None:
    return getattr(settings, "EMAIL_OUTBOX", None)


def _send(
    user: User,
    email: str,
    subject: str,
    template: str,
    token: str,
    *,
    outbox: str | None = None,
    **more: Any,
) -> None:
    max_age: timedelta = settings.CHAT_VERIFICATION_MAX_AGE
    link = f"{settings.SITE_URL}{reverse('verify', args=[token])}"
    text = render_to_string(template, {"user": user, "link": link, "days": max_age.days} | more)
    _hand_over(EmailMessage(subject, text, to=[email]), outbox)


def send_already_registered(owner: User) -> None:
    """Tell ``owner`` that somebody tried to register with the same address.

    Raises what the mail backend raises.
    """
    text = render_to_string("chat/already_registered_mail.txt", {"user": owner, "site": settings.SITE_URL})
    _hand_over(EmailMessage("You have an account already", text, to=[owner.email]), _outbox())


def send_password_changed(user: User, *, is_own: bool, address: str) -> None:
    """Tell the owner that the password was changed: on the site from ``address``, or by an administrator.

    Raises what the mail backend raises.
    """
    facts = {"user": user, "site": settings.SITE_URL, "is_own": is_own, "address": address}
    text = render_to_string("chat/password_changed_mail.txt", facts)
    _hand_over(EmailMessage("Your password was changed", text, to=[user.email]), _outbox())


def send_account_changed(user: User, email: str, changes: list[str]) -> None:
    """Tell the owner of ``user``, at ``email``, what an administrator has changed.

    Raises what the mail backend raises.
    """
    facts = {"user": user, "site": settings.SITE_URL, "changes": changes}
    text = render_to_string("chat/account_changed_mail.txt", facts)
    send(EmailMessage("Your account was changed", text, to=[email]))


def send(message: EmailMessage) -> None:
    """Raises what the mail backend raises."""
    _hand_over(message, _outbox())


def _hand_over(message: EmailMessage, outbox: str | None) -> None:
    """To the backend ``outbox``, or to the site's own without one."""
    if outbox:
        import_string(outbox)().send_messages([message])
    else:
        message.send()
