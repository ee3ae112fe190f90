"""The log of django-auditlog: which rows changed, how, and who changed them.

The log is evidence. The package's clean-up command, ``auditlogflush --before-date``, has no default
date. The retention is 400 days and at least 90, for the reasons in ``admin_log``.

A model with an ``AuditlogHistoryField`` can't have a policy of its own: the field is a generic relation,
which ``manage.py check`` refuses (housekeeping.E003).
"""

from datetime import timedelta

from django.apps import apps
from django.conf import settings

from housekeeping import Cron, Policy, Purge, personal_rows, purge, scheduled, task

LogEntry = apps.get_model(getattr(settings, "AUDITLOG_LOGENTRY_MODEL", "auditlog.LogEntry"))

old_entries = Policy(
    "auditlog",
    rows=lambda cutoff: LogEntry._base_manager.filter(timestamp__lt=cutoff),
    retention=timedelta(days=400),
    age="timestamp",
    shortest_days=90,
)
_columns = {one.attname for one in LogEntry._meta.concrete_fields}
personal_rows(
    LogEntry,
    objects=[("content_type_id", "object_pk")],
    renamed=[name for name in ("actor_email",) if name in _columns],
)


@scheduled("auditlog_cleanup", "Audit Log Cleanup", Cron(hour=4, minute=20))
@task("auditlog", policy=old_entries, done="Old audit log entries deleted")
def delete_old_audit_log_entries(purge: Purge = purge) -> dict[str, int]:
    """Delete entries of the audit log past their retention."""
    return {"deleted_entries": purge(old_entries)}
