"""WHAT WE DO AND WHEN. Read this file first.

A new task is one block here: the consumer runs it, the dashboard shows it, the API and the commands
offer it. To change when a task runs, change its trigger. To change how long rows are kept, change the
retention of its policy, or the setting that it reads.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable

from chat import accounts, statistics  # noqa: F401 (it declares what the site counts)
from chat.models import NEVER_VERIFIED, ChatMessage, Conversation, User, last_activity
from housekeeping import (
    Cron,
    Interval,
    Mail,
    Measure,
    Policy,
    Purge,
    TaskResult,
    mail_each,
    personal_rows,
    purge,
    run_steps,
    scheduled,
    spared,
    take_snapshot,
    task,
)
from housekeeping.database import clock

logger = logging.getLogger(__name__)


# --- Policies -------------------------------------------------------------------------------


def _old_conversations(cutoff: datetime) -> QuerySet[Conversation]:
    if settings.HOUSEKEEPING_CONVERSATION_AGE_FROM == "last_message_at":
        return Conversation.objects.silent_since(cutoff)
    return Conversation.objects.filter(created_at__lt=cutoff)


def _conversation_age() -> Combinable:
    by_activity = settings.HOUSEKEEPING_CONVERSATION_AGE_FROM == "last_message_at"
    return last_activity() if by_activity else F("created_at")


def _never_verified_users(cutoff: datetime) -> QuerySet[User]:
    return User.objects.filter(NEVER_VERIFIED, date_joined__lt=cutoff)


def _warning_time() -> timedelta:
    """How long before its deletion an account is warned. Zero if accounts are not warned."""
    return timedelta(days=settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS)


def _warned_users(cutoff: datetime) -> QuerySet[User]:
    """Accounts past the retention. If accounts are warned, only those that were warned long enough ago."""
    users = _never_verified_users(cutoff)
    if not _warning_time():
        return users
    # Use the clock, because the age of a warning can't be computed from the cutoff.
    return users.filter(deletion_warned_at__lte=clock.Now() - _warning_time())


def _users_to_warn() -> QuerySet[User]:
    """Accounts that will be past the retention when a warning sent now runs out, except held ones."""
    now = clock.now()
    users = _never_verified_users(never_verified_users.cutoff(now + _warning_time()))
    return users.filter(deletion_warned_at=None).exclude(spared(User, now))


old_conversations = Policy(
    "conversations",
    rows=_old_conversations,
    retention=timedelta(days=settings.HOUSEKEEPING_CONVERSATION_RETENTION_DAYS),
    age=_conversation_age,
)
orphaned_messages = Policy(
    "messages",
    rows=lambda cutoff: ChatMessage.objects.filter(conversation=None),
    age="created_at",
)
never_verified_users = Policy(
    "users",
    rows=_warned_users,
    retention=timedelta(days=settings.HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS),
    age="date_joined",
    # Leaves at least a day between joining and the warning.
    shortest_days=settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS + 1,
)

# The erasure of a person also deletes what the admin's log tells of their rows. The recipes know the tables
# of sign-ins, sessions and tokens.
personal_rows(LogEntry, objects=[("content_type_id", "object_id")])


# --- Tasks ----------------------------------------------------------------------------------


@scheduled(
    "test_housekeeping",
    "Test Housekeeping (Every 5 min)",
    Interval(minutes=5),
    when=settings.HOUSEKEEPING_TEST_SCHEDULE,
)
@scheduled("daily_housekeeping", "Daily Housekeeping Tasks", Cron(hour=2, minute=0))
@task(
    "all",
    policies=(old_conversations, orphaned_messages, never_verified_users),
    done="All housekeeping tasks completed",
)
def run_all_housekeeping_tasks(purge: Purge = purge, measure: Measure = take_snapshot) -> TaskResult:
    """Run the four tasks below, one after the other."""
    return run_steps(
        conversations=lambda: delete_old_conversations(purge),
        messages=lambda: cleanup_orphaned_messages(purge),
        users=lambda: cleanup_inactive_users(purge),
        stats=lambda: generate_statistics(measure),
    )


@scheduled("weekly_cleanup", "Weekly Conversation Cleanup", Cron(day_of_week="sun", hour=3, minute=0))
@task(policy=old_conversations, done="Old conversations deleted")
def delete_old_conversations(purge: Purge = purge) -> dict[str, int]:
    """Delete conversations past their retention, with all their messages."""
    return {"deleted_conversations": purge(old_conversations)}


@task(policy=orphaned_messages, done="Orphaned messages deleted")
def cleanup_orphaned_messages(purge: Purge = purge) -> dict[str, int]:
    """Delete messages that belong to no conversation."""
    return {"cleaned_messages": purge(orphaned_messages)}


@task(policy=never_verified_users, done="Never-verified users deleted")
def cleanup_inactive_users(purge: Purge = purge) -> dict[str, int]:
    """Delete accounts that never verified their mail address."""
    return {"deleted_users": purge(never_verified_users)}


@scheduled(
    "deletion_warnings",
    "Deletion Warnings",
    Cron(hour=9, minute=0),
    when=settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS > 0,
)
@task(
    "warnings",
    done="Never-verified users warned",
    when=settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS > 0,
)
def warn_never_verified_users(mail: Mail = mail_each) -> TaskResult:
    """Mail accounts that never verified their address, some days before they are deleted."""
    mailed = mail(
        "warned_users",
        _users_to_warn(),
        lambda user: accounts.warn_of_deletion(user, goes_at=clock.roughly() + _warning_time()),
    )
    result = TaskResult(warned_users=mailed.sent, failed_mails=mailed.failed)
    result.failures = mailed.server_errors[-1:]
    return result


@scheduled("statistics_generation", "Generate System Statistics", Interval(hours=6))
@task("stats", done="Statistics generated")
def generate_statistics(measure: Measure = take_snapshot) -> dict[str, Any]:
    """Count users, conversations and messages, and store the numbers."""
    numbers = measure()
    logger.info("Statistics: %s", ", ".join(f"{name} {number}" for name, number in numbers.items()))
    return {"stats": numbers}
