"""The requests that django-silk has recorded, with their responses, SQL queries and profiles.

Silk limits their number (SILKY_MAX_RECORDED_REQUESTS, 10,000 by default) but not their age. Seven days are
enough to look into a slow request; silk's limit applies as well.

Requests are not archived: their headers, bodies and queries may contain secrets, and new measurements
replace them soon. Files of the binary profiler stay on disk, as when silk deletes requests itself.
"""

from datetime import timedelta

from silk.models import Request

from housekeeping import Policy

UPKEEP = {
    "deleted_silk_requests": (
        Policy(
            "silk_requests",
            rows=lambda cutoff: Request.objects.filter(start_time__lt=cutoff),
            retention=timedelta(days=7),
            age="start_time",
            is_upkeep=True,
            deletes_files=False,
        ),
    )
}
