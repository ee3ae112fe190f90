"""The list of one's sessions that django-allauth keeps: entries whose session has ended.

For sessions in the database. Each entry holds the address and the browser of a person.
"""

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from housekeeping import Policy

UPKEEP = {
    "deleted_user_sessions": (
        Policy(
            "user-sessions",
            rows=lambda cutoff: UserSession.objects.filter(
                ~Exists(Session.objects.filter(session_key=OuterRef("session_key"))), created_at__lt=cutoff
            ),
            retention=timedelta(days=1),
            age="created_at",
            is_upkeep=True,
        ),
    )
}
