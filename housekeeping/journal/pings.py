"""Pings: an address outside is called as runs start and end, so that a watcher there notices silence.

The protocol is that of Healthchecks: the address itself for a success, ``/start``, ``/fail`` and ``/log``
below it, a POST with the run's log as its body, and ``?rid=`` with the run's id.

What it promises:

- A ping waits in the outbox: no run waits for the watcher, and none fails because of it.
- The pings to one address arrive in their order: a start that is late never hides a success.
- Runs that delete nothing (dry runs) and undos cause none. A failure that is tried again is only logged
  there: the last one of its series counts.
"""

import json
import logging

from housekeeping import conf
from housekeeping.database.transactions import apart
from housekeeping.declared.registry import SCHEDULES
from housekeeping.exceptions import AddressRefused
from housekeeping.journal import outbox, posting
from housekeeping.models import Delivery, LogLine, Run

logger = logging.getLogger(__name__)

START, SUCCESS, FAIL, LOG = "start", "", "fail", "log"
PING = "ping"  # the kind of the deliveries
LONGEST_BODY = 10_000  # bytes
OF_SITE = ""  # the name of the address that is told of all runs
SIGNALS = {Run.Status.SUCCEEDED: SUCCESS, Run.Status.FAILED: FAIL}


def started(run: Run) -> None:
    """The first attempt of the run begins."""
    _put(run, START)


def ended(run: Run, *, is_tried_again: bool) -> None:
    """The run has ended. Called in the transaction of its end."""
    signal = SIGNALS.get(Run.Status(run.status), LOG)
    _put(run, LOG if is_tried_again else signal)


def held(run: Run) -> None:
    _put(run, LOG)


def addresses() -> dict[str, str]:
    """The declared addresses: of the whole site, and of schedules by their ids."""
    of_schedules = {schedule.id: schedule.ping for schedule in SCHEDULES.values()}
    return {name: url for name, url in ({OF_SITE: conf.PING_URL} | of_schedules).items() if url}


def shown(url: str) -> str:
    """An address without its secret parts."""
    try:
        return posting.read(url).shown
    except AddressRefused:
        return "…"


def _put(run: Run, signal: str) -> None:
    """Store the pings. An error is logged, and changes nothing else."""
    if run.dry_run or run.undo_of_id:
        return
    told = {name: url for name, url in addresses().items() if name in (OF_SITE, run.schedule)}
    if not told:
        return
    with apart(lambda error: _complain(run, error)):
        payload = {"signal": signal, "rid": str(run.pk), "body": _body(run, signal)}
        outbox.store(
            [
                Delivery(transport=PING, kind=PING, channel=name, address=shown(url), payload=payload)
                for name, url in told.items()
            ]
        )


def _complain(run: Run, error: Exception) -> None:
    logger.error("The outside watcher can't be told of run %s (%s)", run, type(error).__name__)


def _body(run: Run, signal: str) -> str:
    """What the run is and did, and the end of its log."""
    if signal == START:
        return f"{run} started ({run.cause})"
    outcome = run.error.strip().partition("\n")[0] or json.dumps(run.result)
    lines, size = [f"{run} {run.status}: {outcome}"[: LONGEST_BODY // 2]], LONGEST_BODY // 2
    for line in LogLine.objects.filter(run=run).order_by("-pk")[:200]:
        text = f"{line.logged_at:%H:%M:%S} {line.level} {line.text}"
        size -= len(text.encode()) + 1
        if size < 0:
            break
        lines.insert(1, text)
    return "\n".join(lines)
