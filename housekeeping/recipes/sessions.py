"""Django's sessions: those that have expired. ``clearsessions`` of Django does the same by hand."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from housekeeping import Person, Policy, personal_rows


def sessions_of(person: Person) -> QuerySet[Any]:
    """Sessions are not stored by account: each has to be decoded."""
    every = Session.objects.only("session_key", "session_data").iterator(chunk_size=500)
    keys = [one.session_key for one in every if str(one.get_decoded().get(SESSION_KEY)) == person.key]
    return Session.objects.filter(session_key__in=keys)


personal_rows(Session, rows=sessions_of)

UPKEEP = {
    "deleted_sessions": (
        Policy(
            "sessions",
            rows=lambda cutoff: Session.objects.filter(expire_date__lt=cutoff),
            age="expire_date",
            is_upkeep=True,
        ),
    )
}
