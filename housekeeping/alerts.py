"""A mail to those who can do something about it."""

import logging

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import send_mail
from django.urls import reverse

from housekeeping.models import Run

logger = logging.getLogger(__name__)


def held(run: Run) -> None:
    """Tell every administrator that a run waits for approval. A mail that fails is logged."""
    page = f"{settings.SITE_URL}{reverse('dashboard-run', args=[run.pk])}"
    text = f"{run.error}\n\nNothing is deleted. Approve or cancel it here:\n{page}\n"
    people = get_user_model()._default_manager.filter(is_superuser=True, is_active=True)
    addresses = list(people.exclude(email="").values_list("email", flat=True))
    try:
        send_mail(f"Housekeeping: {run.task} is held for approval", text, None, addresses)
    except Exception as error:  # a mail server fails in many ways, and none of them is the run's
        logger.error("Nobody could be told that run %s is held: %s", run, error)
