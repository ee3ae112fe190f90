"""What goes with a sign-in, a failed one, and a new factor. Connected when the app is ready."""

import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from axes.models import AccessAttempt
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest

from chat.models import User
from chat.sign_in import factors

SIGNED_IN_AT = "signed_in_at"


@receiver(user_logged_in)
def _stamp(sender: Any, request: HttpRequest, **_: Any) -> None:
    request.session[SIGNED_IN_AT] = time.time()


@receiver(pre_save, sender=AccessAttempt)
def _store_nothing_that_was_sent(sender: Any, instance: AccessAttempt, **_: Any) -> None:
    """django-axes stores all fields of the form, and masks only those whose names it is told.

    The question for the password comes with the fields of any act, which may be about other people.
    """
    instance.get_data = instance.post_data = ""


@receiver(authenticator_added)
def _end_the_others(
    sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any
) -> None:
    """A session that somebody has opened with a stolen password must not outlive the new factor."""
    if authenticator.type in factors.FACTORS:
        end_other_sessions(request, user)
