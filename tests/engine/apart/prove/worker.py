"""A process that carries out a run until somebody kills it. Its word is ``make``, ``purge`` or ``undo``."""

import os
import sys
from datetime import timedelta

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.engine.apart.prove.settings"
django.setup()

from django.utils import timezone  # noqa: E402

from housekeeping.engine.apart import handover  # noqa: E402
from housekeeping.models import Archive, Handover, Hold, Received, Run  # noqa: E402
from housekeeping.runs import control, recovery  # noqa: E402
from tests.zoo import tasks  # noqa: E402
from tests.zoo.models import House, Park  # noqa: E402
from tests.zoo.worlds import AS_OF  # noqa: E402


def make(rows):
    parks = [Park(name=str(number), opened_at=AS_OF - timedelta(days=90)) for number in range(rows)]
    Park.objects.bulk_create(parks)
    House.objects.bulk_create(House(code=park.name, park=park) for park in parks)
    tasks.request("parks")


def go_on(run):
    """Take the run back from the process that was killed, and carry it out."""
    print("working", flush=True)
    now = timezone.now()
    Run.objects.filter(status="running").update(lease_until=now - timedelta(seconds=1), losses=0)
    recovery.recover(now, send=lambda run: None)
    run.refresh_from_db()
    if run.status == "queued":
        tasks.carry_out(run, batch_size=7)


def tell(run):
    run.refresh_from_db()
    rows = [Park.objects.count(), House.objects.count()]
    archived = sum(Archive.objects.values_list("rows", flat=True))
    handover.prune()  # as every night: a kill may have left a Received whose handover is gone
    left = Handover.objects.using("other").count() + Received.objects.count()
    print(
        "told", run.status, rows, archived, Hold.objects.count(), left, sum(run.deleted.values()), flush=True
    )


with tasks.declared():
    if sys.argv[1] == "make":
        make(int(sys.argv[2]))
    else:
        purge = Run.objects.get(undo_of=None)
        run = purge
        if sys.argv[1] == "undo":
            run = Run.objects.filter(undo_of=purge).first() or control.undo(purge, send=lambda run: None)
        go_on(run)
        tell(run)
