"""Django's sessions: those that have expired. ``clearsessions`` of Django does the same by hand."""

from django.contrib.sessions.models import Session

from housekeeping import Policy

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
