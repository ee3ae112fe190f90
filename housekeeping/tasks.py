"""WHAT WE DO AND WHEN. Read this file first.

A new task is one block here, and the consumer runs it, the dashboard shows it, the API
and the commands offer it. To change when something runs, change its trigger; to change
how long rows are kept, change its policy's retention (or the settings that it reads).
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from chat.models import ChatMessage, Conversation, User
from housekeeping.exceptions import RunStopped
from housekeeping.policies import Policy
from housekeeping.purge import Purge, purge
from housekeeping.registry import scheduled, task
from housekeeping.stats import Measure, take_snapshot
from housekeeping.triggers import Cron, Interval

logger = logging.getLogger(__name__)


# --- Policies -------------------------------------------------------------------------------


def _old_conversations(cutoff: datetime) -> QuerySet[Conversation]:
    if settings.HOUSEKEEPING_CONVERSATION_AGE_FROM == "last_message_at":
        return Conversation.objects.silent_since(cutoff)
    return Conversation.objects.filter(created_at__lt=cutoff)


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
)
orphaned_messages = Policy(
    "messages",
    rows=lambda cutoff: ChatMessage.objects.filter(conversation=None),
)
never_verified_users = Policy(
    "users",
    rows=_never_verified_users,
    retention=timedelta(days=settings.HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS),
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
def run_all_housekeeping_tasks(purge: Purge = purge, measure: Measure = take_snapshot) -> "Outcome":
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


# --- Several tasks as one ---------------------------------------------------------------------


class Outcome(dict[str, Any]):
    """A task's result that also carries what went wrong in it: the run counts as failed."""

    failures: list[Exception]


def in_turn(**steps: Callable[[], Mapping[str, Any]]) -> Outcome:
    """Run each step even if one before it failed, and merge their results.

    A failed step is named under ``errors``, with what it raised.
    """
    outcome = Outcome()
    outcome.failures = []
    for name, step in steps.items():
        try:
            outcome |= step()
        except RunStopped:
            raise
        except Exception as error:
            logger.warning("The step %s failed; the next ones still run", name)
            outcome.setdefault("errors", {})[name] = f"{type(error).__name__}: {error}"
            outcome.failures.append(error)
    return outcome
