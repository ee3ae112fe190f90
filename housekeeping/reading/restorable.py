"""What an undo of a run can put back."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, Sum

from housekeeping.models import Run
from housekeeping.reading import words


@dataclass(frozen=True)
class Restorable:
    """Rows by table, the bytes that their archives take up, and when the undo window closes."""

    tables: dict[str, int]
    size: int
    until: datetime

    @property
    def words(self) -> str:
        return words.tables(self.tables)


def of(run: Run, now: datetime) -> Restorable | None:
    """What undo can put back at ``now``; None for nothing. One query.

    Nothing once any part has expired: half of a run must not come back (restore.check_window).
    """
    rows = run.archives.values("model", "emptied", "is_own").annotate(
        count=Sum("rows"), bytes=Sum("size"), until=Min("expires_at")
    )
    found = list(rows.order_by("-is_own", "model"))  # the policies' own rows first
    if not found or min(one["until"] for one in found) <= now:
        return None
    tables: Counter[str] = Counter()
    for one in found:
        if not one["emptied"]:
            tables[one["model"]] += one["count"]
    return Restorable(dict(tables), sum(one["bytes"] for one in found), min(one["until"] for one in found))
