"""WHAT WE DO AND WHEN. Read this file first.

A new task is one block here, and the consumer runs it, the dashboard shows it, the API
and the commands offer it. To change when something runs, change its trigger; to change
how long rows are kept, change its policy's retention (or the settings that it reads).
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.expressions import Combinable

from chat.models import ChatMessage, Conversation, User, last_activity
from housekeeping.models import Act, Archive, Consumer, PlannedRows, Run, Snapshot
from housekeeping.policies import Policy
from housekeeping.purge import Purge, purge
from housekeeping.registry import scheduled, task
from housekeeping.stats import Measure, take_snapshot
from housekeeping.steps import Outcome, in_turn
from housekeeping.triggers import Cron, Interval

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
    # Each condition spares somebody: an account that an administrator deactivated was
    # verified or has signed in once; staff may have been made by hand.
    return User.objects.filter(
        is_active=False,
        email_verified_at=None,
        last_login=None,
        is_staff=False,
        is_superuser=False,
        date_joined__lt=cutoff,
    )


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
    rows=_never_verified_users,
    retention=timedelta(days=settings.HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS),
    age="date_joined",
)


def _tidied_runs(cutoff: datetime) -> QuerySet[Run]:
    # What can still be undone keeps its run.
    undoable = Exists(Archive.objects.filter(run=OuterRef("pk")))
    return Run.objects.ended().older_than(cutoff, keep_newest=100_000).exclude(undoable)


# Our own rows, by the same engine: what watches the site must not outgrow it.
ended_runs = Policy(
    "runs",
    rows=_tidied_runs,
    retention=timedelta(days=90),
    age="requested_at",
    is_upkeep=True,
)
old_snapshots = Policy(
    "snapshots",
    rows=lambda cutoff: Snapshot.objects.filter(taken_at__lt=cutoff),
    retention=timedelta(days=90),
    age="taken_at",
    is_upkeep=True,
)
silent_consumers = Policy(
    "consumers",
    rows=lambda cutoff: Consumer.objects.filter(last_heartbeat_at__lt=cutoff),
    retention=timedelta(days=90),
    age="last_heartbeat_at",
    is_upkeep=True,
)
expired_archives = Policy(
    "archives",
    rows=lambda cutoff: Archive.objects.filter(expires_at__lt=cutoff),
    age="expires_at",
    is_upkeep=True,
)
old_plans = Policy(
    "plans",
    rows=lambda cutoff: PlannedRows.objects.filter(run__requested_at__lt=cutoff).exclude(
        run__status__in=Run.ACTIVE
    ),
    retention=timedelta(days=7),
    is_upkeep=True,
)
# Who did what outlives the runs that it was done to: a year, and the time to ask about it.
old_acts = Policy(
    "acts",
    rows=lambda cutoff: Act.objects.filter(done_at__lt=cutoff),
    retention=timedelta(days=400),
    age="done_at",
    is_upkeep=True,
)


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
def run_all_housekeeping_tasks(purge: Purge = purge, measure: Measure = take_snapshot) -> Outcome:
    """Run the four tasks below, one after the other."""
    return in_turn(
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


@scheduled("statistics_generation", "Generate System Statistics", Interval(hours=6))
@task("stats", done="Statistics generated")
def generate_statistics(measure: Measure = take_snapshot) -> dict[str, Any]:
    """Count users, conversations and messages, and keep the numbers."""
    numbers = measure()
    logger.info("Statistics: %s", ", ".join(f"{name} {number}" for name, number in numbers.items()))
    return {"stats": numbers}


@scheduled("history_cleanup", "History Cleanup", Cron(hour=1, minute=30), is_upkeep=True)
@task(
    "history",
    policies=(expired_archives, old_plans, ended_runs, old_snapshots, silent_consumers, old_acts),
    done="History tidied",
)
def tidy_history(purge: Purge = purge) -> dict[str, int]:
    """Delete expired archives and plans; runs, statistics and heartbeats after 90 days; acts after 400."""
    return {
        "deleted_archives": purge(expired_archives),
        "deleted_plans": purge(old_plans),
        "deleted_runs": purge(ended_runs),
        "deleted_snapshots": purge(old_snapshots),
        "deleted_consumers": purge(silent_consumers),
        "deleted_acts": purge(old_acts),
    }
