"""The log of Django's admin: who added, changed and deleted which objects.

The log is evidence. Django has no clean-up command for it and names no retention. The default is 400 days,
the same as for housekeeping's own log of acts: PCI DSS 4.0 (10.5.1) asks for audit logs of at least 12
months, the last three of them immediately available. An operator can't set less than these three months.

``action_time`` has no index: docs/howto/use-a-recipe.md shows how to add one.
"""

from datetime import timedelta

from django.contrib.admin.models import LogEntry

from housekeeping import Cron, Policy, Purge, personal_rows, purge, scheduled, task

old_entries = Policy(
    "admin_log",
    rows=lambda cutoff: LogEntry.objects.filter(action_time__lt=cutoff),
    retention=timedelta(days=400),
    age="action_time",
    shortest_days=90,
)
# What was done to an account and to its rows. What its owner did goes with it, as the log has a foreign key.
personal_rows(LogEntry, objects=[("content_type_id", "object_id")])


@scheduled("admin_log_cleanup", "Admin Log Cleanup", Cron(hour=4, minute=0))
@task("admin_log", policy=old_entries, done="Old admin log entries deleted")
def delete_old_admin_log_entries(purge: Purge = purge) -> dict[str, int]:
    """Delete entries of the admin log past their retention."""
    return {"deleted_entries": purge(old_entries)}
