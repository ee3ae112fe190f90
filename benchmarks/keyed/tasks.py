from datetime import timedelta

from django.conf import settings

from benchmarks.keyed.models import Parcel
from housekeeping import Policy, Purge, TaskResult, purge, task

parcels = Policy(
    "parcels",
    rows=lambda cutoff: Parcel.objects.filter(sent_at__lt=cutoff),
    retention=timedelta(days=settings.HOUSEKEEPING_CONVERSATION_RETENTION_DAYS),
    age="sent_at",
)


@task("parcels", policy=parcels)
def purge_parcels(purge: Purge = purge) -> TaskResult:
    return {"deleted": purge(parcels)}
