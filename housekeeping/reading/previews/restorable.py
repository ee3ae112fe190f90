"""What an undo of a run can put back."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, Sum

from housekeeping.models import Run
from housekeeping.reading import words


@dataclass(frozen=True)
class Restorable:
    """Rows by table. ``size``: bytes of their archives. ``until``: when the undo window closes."""

    tables: dict[str, int]
    size: int
    until: datetime

    @property
    def words(self) -> str:
        return words.tables(self.tables)


def of(run: Run, now: datetime) -> Restorable | None:
    """What an undo can put back at ``now``; None if there is nothing. One query.

    As soon as one archive has expired, nothing can come back: a run is undone as a whole
    (``restore.check_window``).
    """
    rows = run.archives.values("model", "emptied", "is_own").annotate(
        count=Sum("rows"), bytes=Sum("size"), until=Min("expires_at")
    )
    found = list(rows.order_by("-is_own", "model"))  # the policies' own rows first
    if not found or min(one["until"] for one in found) <= now:
        return None
    tables: Counter[str] = Counter()
    for one in found:
        if one["is_own"] or not one["emptied"]:
            tables[one["model"]] += one["count"]
    return Restorable(dict(tables), sum(one["bytes"] for one in found), min(one["until"] for one in found))
