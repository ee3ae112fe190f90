"""The mails that an account gets."""

from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from chat.models import User


def send_verification(user: User, token: str) -> None:
    """Send the link that verifies ``user``. Raises what the mail backend raises (OSError, SMTPException)."""
    max_age: timedelta = settings.CHAT_VERIFICATION_MAX_AGE
    text = render_to_string(
        "chat/verification_mail.txt",
        {"user": user, "link": f"{settings.SITE_URL}{reverse('verify', args=[token])}", "days": max_age.days},
    )
    send_mail("Verify your mail address", text, None, [user.email])


def send_already_registered(owner: User) -> None:
    """Tell ``owner`` that somebody registered with the owner's address. Raises as above."""
    send_mail(
        "You have an account already",
        render_to_string("chat/already_registered_mail.txt", {"user": owner, "site": settings.SITE_URL}),
        None,
        [owner.email],
    )
