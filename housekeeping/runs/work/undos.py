"""Undos: put back what another run has deleted, as a run of its own.

Each batch is counted in its own transaction, and only while the claim holds.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import F, Sum

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.declared import rules
from housekeeping.engine import restore
from housekeeping.exceptions import ClaimLost, ConsumerStopping
from housekeeping.models import Run
from housekeeping.runs import endings
from housekeeping.runs.work.attempts import Attempt, next_batch, own

# Rows that came back are held for so long: people need time to see why the purge went wrong.
HELD_AFTER_UNDO = timedelta(days=30)


def put_back(attempt: Attempt, purged: Run) -> Mapping[str, Any]:
    """Undo ``purged``, batch by batch. Returns the result of the run that does it."""
    run = attempt.run
    assert run.as_of is not None
    databases = purged.archives.order_by().values_list("database", flat=True).distinct()
    if attempt.take_over(alias for alias in databases if alias):
        purged.refresh_from_db()
    if run.result:  # an earlier attempt did all of it, but was lost before it could end the run
        return dict(run.result)
    _end(purged, run)
    total = run.total or purged.archives.aggregate(rows=Sum("rows"))["rows"] or 0
    attempt.write(total=total)
    undo = restore.Undo(
        purged,
        run,
        held_until=run.as_of + HELD_AFTER_UNDO,
        save_progress=lambda done: _count(run, done),
        checkpoint=attempt.checkpoint,
        on_retry=attempt.count_retry,
        batch_size=attempt.batch_size,
    )
    undo.check()
    for done in undo.batches():
        run.undo_state, run.deleted = _state(run, done), _back(done)
        attempt.checkpoint()
    state = run.undo_state or {}
    not_restored = {**state.get("left", {}), **undo.passed_over()}
    result = {"restored": dict(state.get("rows", {})), "not_restored": not_restored}
    attempt.write(result=result)
    return result


def _end(purged: Run, undo: Run) -> None:
    """Cancel a purge that waits. Raises ConsumerStopping while one runs: the undo then waits again."""
    waiting = Run.objects.filter(pk=purged.pk, status__in=(Run.Status.QUEUED, Run.Status.HELD))
    reason = f"Run {undo.pk} undoes it."
    if purged.is_active and not endings.end(purged, Run.Status.CANCELLED, rows=waiting, error=reason):
        raise ConsumerStopping


def _count(run: Run, done: restore.Restored) -> None:
    """Count a batch in its own transaction. Raises ClaimLost."""
    state, beat = _state(run, done), clock.Now() + conf.life()
    written = {"undo_state": state, "deleted": _back(done), "retried": run.retried, **next_batch()}
    if not own(run).update(**written, lease_until=beat):
        raise ClaimLost
    if done.archives:
        purged = Run.objects.filter(undos=run)
        purged.update(archives_kept=F("archives_kept") - done.archives)
    rules.changed()  # the rows that came back are held


def _state(run: Run, done: restore.Restored) -> dict[str, Any]:
    return {**(run.undo_state or {}), **done.as_state()}


def _back(done: restore.Restored) -> dict[str, int]:
    return {"restored": done.rows.total()}
