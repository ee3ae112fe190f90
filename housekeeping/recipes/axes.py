"""The sign-ins that django-axes records: its log goes after 90 days, its counts of failures after a day.

A count of failures locks somebody out, so it stays until AXES_COOLOFF_TIME has passed. Without
a cool-off (axes' default) a lock never ends, and no count is deleted.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from axes.helpers import get_cool_off
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db.models import QuerySet

from housekeeping import Policy, personal_rows
from housekeeping.database import clock

# It is evidence: an operator who may change retentions must not be able to shorten it.
KEPT_DAYS = 90

LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)


def counts(cutoff: datetime) -> QuerySet[Any]:
    """Counts of failures from before ``cutoff`` that lock nobody out any more."""
    rows: QuerySet[Any] = AccessAttempt.objects.filter(attempt_time__lt=min(cutoff, _locks_since()))
    return rows


def _locks_since() -> datetime:
    """The moment before which no failure locks anybody out. Asks nothing of the database, as `check` must."""
    try:
        cool_off = get_cool_off(None)
    except Exception:  # it differs from request to request
        return LONG_AGO
    return LONG_AGO if cool_off is None else clock.estimate() - cool_off


# By the names that were typed: no foreign key leads from a sign-in to an account.
for _sign_ins in (AccessLog, AccessFailureLog, AccessAttempt):
    personal_rows(_sign_ins, names=["username"])

UPKEEP = {
    "deleted_sign_ins": (
        Policy(
            "sign-ins",
            rows=lambda cutoff: AccessLog.objects.filter(attempt_time__lt=cutoff),
            retention=timedelta(days=KEPT_DAYS),
            age="attempt_time",
            shortest_days=KEPT_DAYS,
            is_upkeep=True,
        ),
        Policy(
            "failed-sign-ins",
            rows=lambda cutoff: AccessFailureLog.objects.filter(attempt_time__lt=cutoff),
            retention=timedelta(days=KEPT_DAYS),
            age="attempt_time",
            shortest_days=KEPT_DAYS,
            is_upkeep=True,
        ),
        Policy(
            "sign-in-counts",
            rows=counts,
            retention=timedelta(days=1),
            age="attempt_time",
            is_upkeep=True,
            send_signals=False,  # axes listens itself, and does nothing then
        ),
    )
}
