"""Which statements are tried, where all of them take too long."""

import os

from django.utils import timezone

MOST = 100


def of_today(number: int) -> range:
    """``MOST`` of the numbers below this one, others each day; all of them if TRIES is at least 80."""
    step = 1 if int(os.environ.get("TRIES", "1")) >= 80 else -(-number // MOST)
    return range(timezone.now().toordinal() % step, number, step)
