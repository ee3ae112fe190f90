"""The tabs of the list of runs, by status."""

from collections import Counter
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext

from housekeeping.dashboard.filters import STATUSES, RunFilters
from housekeeping.models import Run

COUNTED = (Run.Status.RUNNING, Run.Status.HELD, Run.Status.FAILED)
MOST = 99  # runs that a tab counts


@dataclass(frozen=True)
class Tab:
    label: str
    status: str
    address: str
    is_here: bool
    count: str


def tabs(filters: RunFilters) -> list[Tab]:
    """All runs, and those that are running, held or failed, each with their number.

    The numbers are left out if other filters are set, since they would not match the list.
    """
    counts = _counts() if filters.is_by_status_alone else {}
    base, here = reverse("housekeeping:runs"), filters.data.get("status", "")
    labels = [("", gettext("All")), *((str(status), str(STATUSES[status])) for status in COUNTED)]
    return [
        Tab(label, status, base + filters.with_status(status), status == here, counts.get(status, ""))
        for status, label in labels
    ]


def _counts() -> dict[str, str]:
    """Few runs are active. Of the failed ones, the index gives so many at once."""
    active = Counter(Run.objects.active().values_list("status", flat=True)[: MOST + 1])
    failed = Run.objects.filter(status=Run.Status.FAILED).order_by("-requested_at")[: MOST + 1].count()
    found = {**active, str(Run.Status.FAILED): failed}
    return {status: _in_words(number) for status, number in found.items() if number}


def _in_words(number: int) -> str:
    return f"{MOST}+" if number > MOST else str(number)
