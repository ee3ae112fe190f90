from datetime import timedelta

from housekeeping import Policy, Purge, purge, task
from tests.recipes.host.tracked.models import Customer

old_customers = Policy(
    "customers",
    rows=lambda cutoff: Customer.objects.filter(joined_at__lt=cutoff),
    retention=timedelta(days=30),
    age="joined_at",
)


@task(policy=old_customers)
def delete_old_customers(purge: Purge = purge) -> dict[str, int]:
    """Delete customers that history still refers to."""
    return {"deleted_customers": purge(old_customers)}
