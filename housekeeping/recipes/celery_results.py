"""The tables of django-celery-results: task results, groups, and chords that never finished.

Celery's own clean-up needs celery beat, and deletes results after ``result_expires``: a day, unless the
project sets another value or None. A project that needs this recipe has no such clean-up or wants to look
at results for longer, so the default is 30 days. It should never be shorter than ``result_expires``:
until then, a client may ask for a result.

Results are archived: a long computation or the traceback of a failed task may be needed after all. They may
contain secrets: return values and, with ``result_extended``, arguments (``argsrepr`` and ``kwargsrepr``
hide those). The archive keeps them in the same database for HOUSEKEEPING_UNDO_DAYS more.

A chord's counter has no date. It is deleted with the result of the chord's first task, without which the
chord can't finish. A counter whose first task never stored a result stays.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, JSONField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast
from django_celery_results.models import ChordCounter, GroupResult, TaskResult

from housekeeping import Cron, Policy, Purge, purge, scheduled, task

RETENTION = timedelta(days=30)


def _first_results() -> QuerySet[Any]:
    """The result of a chord's first task: ``sub_tasks`` is ``[[[id, parent], children], …]`` as JSON."""
    first = KeyTransform(0, KeyTransform(0, Cast(OuterRef("sub_tasks"), JSONField())))
    found: QuerySet[Any] = TaskResult.objects.filter(task_id=KeyTextTransform(0, first))
    return found


def _old_chords(cutoff: datetime) -> QuerySet[Any]:
    found: QuerySet[Any] = ChordCounter.objects.filter(Exists(_first_results().filter(date_done__lt=cutoff)))
    return found


old_chords = Policy(
    "celery_chords",
    rows=_old_chords,
    retention=RETENTION,
    age=lambda: Subquery(_first_results().values("date_done")[:1]),
)
old_groups = Policy(
    "celery_groups",
    rows=lambda cutoff: GroupResult.objects.filter(date_done__lt=cutoff),
    retention=RETENTION,
    age="date_done",
)
old_results = Policy(
    "celery_results",
    rows=lambda cutoff: TaskResult.objects.filter(date_done__lt=cutoff),
    retention=RETENTION,
    age="date_done",
)


@scheduled("celery_results_cleanup", "Celery Results Cleanup", Cron(hour=4, minute=10))
@task("celery_results", policies=(old_chords, old_groups, old_results), done="Old Celery results deleted")
def delete_old_celery_results(purge: Purge = purge) -> dict[str, int]:
    """Delete Celery's task results, groups and chords past their retention."""
    return {
        "deleted_chords": purge(old_chords),  # before the results that they are found by
        "deleted_groups": purge(old_groups),
        "deleted_results": purge(old_results),
    }
