"""What django-axes keeps of sign-ins: the log for 90 days, the counts of failures for a day.

A count of failures locks nobody out once AXES_COOLOFF_TIME has passed. A cool-off longer than a
day needs a longer retention of ``sign-in-counts``.
"""

from datetime import timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog

from housekeeping import Policy

# It is evidence: an operator who may change retentions must not be able to shorten it.
KEPT_DAYS = 90

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
            rows=lambda cutoff: AccessAttempt.objects.filter(attempt_time__lt=cutoff),
            retention=timedelta(days=1),
            age="attempt_time",
            is_upkeep=True,
        ),
    )
}
