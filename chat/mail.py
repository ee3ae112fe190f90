"""The mails that an account gets.

A request waits for no mail server: what it sends goes to EMAIL_OUTBOX (a mail backend; without
it, by EMAIL_BACKEND at once). The warnings are a task's own work, and are sent at once.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import get_connection, send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from chat.models import User


def send_verification(user: User, email: str, token: str) -> None:
    """Send ``email`` the link that verifies ``user``, whose address it may become.

    Raises what the mail backend raises (OSError, SMTPException).
    """
    template = "chat/verification_mail.txt"
    _send(user, email, "Verify your mail address", template, token, backend=_outbox())


def send_deletion_warning(user: User, token: str, goes_at: datetime) -> None:
    """Say that ``user`` is kept until ``goes_at``, and send the link that keeps it for good.

    Raises ValueError where the account has no address, and what the mail backend raises.
    """
    if not user.email:  # Django would send nothing, and say nothing
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
    backend: str | None = None,
    **more: Any,
) -> None:
    max_age: timedelta = settings.CHAT_VERIFICATION_MAX_AGE
    link = f"{settings.SITE_URL}{reverse('verify', args=[token])}"
    text = render_to_string(template, {"user": user, "link": link, "days": max_age.days} | more)
    send_mail(subject, text, None, [email], connection=get_connection(backend))


def send_already_registered(owner: User) -> None:
    """Tell ``owner`` that somebody registered with the owner's address. Raises as above."""
    send_mail(
        "You have an account already",
        render_to_string("chat/already_registered_mail.txt", {"user": owner, "site": settings.SITE_URL}),
        None,
        [owner.email],
        connection=get_connection(_outbox()),
    )
