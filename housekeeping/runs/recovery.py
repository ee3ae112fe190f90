"""Recovery: no run is lost when a worker dies, a message is lost or a clock was wrong.

What it promises:

- A run whose worker went silent is taken back once its lease has run out. After the third such
  loss it fails, with the reason.
- A run that no worker has claimed for a minute is sent again.
- Any number of consumers may look at the same moment: each run is handled by one of them.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.exceptions import QueueUnreachable, each
from housekeeping.models import Run
from housekeeping.models.runs import WAITING_RETRY
from housekeeping.runs import endings, pauses, retries
from housekeeping.runs.control import Send
from housekeeping.runs.work import takeover
from housekeeping.runs.work.attempts import own

logger = logging.getLogger(__name__)

MOST_LOSSES = 3
# A message that no worker has acted on for so long counts as lost, and is sent again.
RESEND_AFTER = timedelta(seconds=60)


def recover(now: datetime, *, send: Send) -> None:
    """Take back the runs whose worker went silent, and send those that no worker has claimed.

    An error with one run does not hold up the others: the first one is raised after all have had
    their turn. It may be QueueUnreachable; what could not be sent is sent at a later look.
    """
    steps = (
        lambda: _date_back(now),
        lambda: take_back_silent(now),
        lambda: _resend_unclaimed(now, send),
        endings.pay_tallies,
    )
    each(steps, lambda step: step())


def _date_back(now: datetime) -> None:
    """Date runs back to now that are dated in the future because the clock was ahead.

    Otherwise such a run would count as the newest of its task until that time.
    """
    late = now + conf.ahead()
    found = Run.objects.filter(Q(requested_at__gt=late) | Q(finished_at__gt=late))
    if not (keys := list(found.values_list("pk", flat=True)[:1_000])):
        return
    runs = Run.objects.filter(pk__in=keys)
    for name in ("requested_at", "started_at", "finished_at"):
        runs.filter(**{f"{name}__gt": now}).update(**{name: now})
    logger.warning("The clock was ahead: %s runs with a date in the future were dated back to now", len(keys))


def take_back_silent(now: datetime) -> None:
    """Take back the runs whose worker went silent. Raises the first error after all had their turn."""
    running = Run.objects.filter(status=Run.Status.RUNNING)
    # Read first: on SQLite an UPDATE takes the write lock even if it changes nothing.
    each(running.filter(lease_until__gt=now + conf.life() + conf.ahead()), _shorten_lease)
    each(running.filter(lease_until__lt=now), lambda run: _take_back(run, now))


def _shorten_lease(run: Run) -> None:
    """Shorten a lease that is longer than leases are: it was written while the clock was ahead.

    A living worker renews it in time. A dead one is noticed once it has run out.
    """
    too_long = own(run).filter(lease_until__gt=clock.Now() + conf.life() + conf.ahead())
    if too_long.update(lease_until=clock.Now() + conf.life()):
        logger.warning("Run %s had a lease from a clock that was ahead; it now ends in %s", run, conf.life())


def _resend_unclaimed(now: datetime, send: Send) -> None:
    unclaimed = Run.objects.due(now).filter(
        Q(sent_at=None) | Q(sent_at__lt=now - RESEND_AFTER) | Q(sent_at__gt=now + conf.ahead()),
        status=Run.Status.QUEUED,
    )

    def resend(run: Run) -> None:
        if _drop_needless(run) or not unclaimed.filter(pk=run.pk).update(sent_at=now):
            return
        send_or_mark(run, send)

    each(unclaimed, resend)


def _drop_needless(run: Run) -> bool:
    """End an automatic retry whose work another run does, or whose task was paused as it was opened."""
    if not run.retry_number or run.attempts:
        return False
    facts: dict[str, Any]
    if other := retries.newer(run):
        facts = {"error": retries.SUPERSEDED.format(run=other.pk)}
    elif pauses.is_paused(run.task):
        facts = {"error": pauses.PAUSED_BEFORE_RETRY, "cancel_requested": True}
    else:
        return False
    return endings.end(run, Run.Status.CANCELLED, rows=Run.objects.filter(WAITING_RETRY), **facts)


def resend_all() -> None:
    """Have every waiting run sent again at the next look.

    A consumer that dies takes with it the messages it has read but not yet claimed, so this is
    called where one has died or one starts. A run that is sent twice is still claimed once.
    """
    Run.objects.filter(status=Run.Status.QUEUED).update(sent_at=None)


def send_or_mark(run: Run, send: Send) -> None:
    """Send the run's id. If that fails, mark the run to be sent at the next look.

    Raises QueueUnreachable.
    """
    try:
        send(run)
    except QueueUnreachable:
        Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(sent_at=None)
        raise


def _take_back(run: Run, now: datetime) -> None:
    mine = own(run).filter(lease_until__lt=now)
    silent = f"its worker ({run.consumer or 'a command'}) went silent in attempt {run.attempts}"
    if run.losses + 1 < MOST_LOSSES:
        taken = mine.update(status=Run.Status.QUEUED, losses=F("losses") + 1, lease_until=None, sent_at=None)
        if taken:
            logger.warning("Run %s is taken back: %s", run, silent)
            resend_all()
    else:
        takeover.as_far_as_possible()  # what the last attempt has deleted counts, too
        error = f"Abandoned: {silent}, and {MOST_LOSSES} attempts were lost that way."
        losses = F("losses") + 1
        endings.end(run, Run.Status.FAILED, rows=mine, level=logging.ERROR, losses=losses, error=error)
