"""WHAT WE DO AND WHEN. Read this file first.

A new task is one block here, and the consumer runs it, the dashboard shows it, the API
and the commands offer it. To change when something runs, change its trigger; to change
how long rows are kept, change its policy's retention (or the settings that it reads).
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.expressions import Combinable
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from chat import accounts
from chat.models import NEVER_VERIFIED, ChatMessage, Conversation, User, last_activity
from housekeeping.database import clock
from housekeeping.declared.mailing import Mail, mail_each
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import scheduled, task
from housekeeping.declared.stats import Measure, take_snapshot
from housekeeping.declared.steps import Checkpoint, Outcome, go_on, in_turn
from housekeeping.declared.triggers import Cron, Interval
from housekeeping.engine import cascade, holds, verification
from housekeeping.engine.purge import Purge, purge
from housekeeping.models import Act, Archive, Consumer, Delivery, Hold, PlannedRows, Run, Snapshot

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
    """How long before it goes an account is warned; nothing where nobody is."""
    return timedelta(days=settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS)


def _warned_users(cutoff: datetime) -> QuerySet[User]:
    """Those past the retention; where accounts are warned, those whose warning has run out."""
    users = _never_verified_users(cutoff)
    if not _warning_time():
        return users
    # By the clock: the cutoff alone does not tell how old a warning may be.
    return users.filter(deletion_warned_at__lte=clock.Now() - _warning_time())


def _users_to_warn() -> QuerySet[User]:
    """Those that are past the retention once a warning of now has run out. Whoever is held stays."""
    now = clock.now()
    users = _never_verified_users(never_verified_users.cutoff(now + _warning_time()))
    kept = holds.held(User, now) | cascade.protected(User)
    return users.filter(deletion_warned_at=None).exclude(kept)


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
    # A day at least between joining and the warning.
    shortest_days=settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS + 1,
)


def _tidied_runs(cutoff: datetime) -> QuerySet[Run]:
    # What can still be undone keeps its run, and so do the holds that an undo made.
    # What another run undoes or carries out stays as long as that run: without it, a retry of
    # an undo would pass for a purge.
    undoable = Exists(Archive.objects.filter(run=OuterRef("pk")))
    undone = Exists(Run.objects.filter(undo_of=OuterRef("pk")))
    carried_out = Exists(Run.objects.filter(plan_of=OuterRef("pk")))
    holding = Exists(Hold.objects.filter(undo=OuterRef("pk")))
    rows = Run.objects.ended().older_than(cutoff, keep_newest=100_000)
    return rows.exclude(undoable).exclude(holding).exclude(undone).exclude(carried_out)


def _expired_archives(cutoff: datetime) -> QuerySet[Archive]:
    # An undo that has begun in time puts back the rest, too.
    under_way = Run.objects.active().filter(undo_of=OuterRef("run"))
    return Archive.objects.filter(expires_at__lt=cutoff).exclude(Exists(under_way))


# Our own rows, by the same engine: what watches the site must not outgrow it. What tells who did
# what can't be set to go sooner: who may change a retention must not be able to wipe a trace.
ended_runs = Policy(
    "runs",
    rows=_tidied_runs,
    retention=timedelta(days=90),
    age="requested_at",
    shortest_days=90,
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
    rows=_expired_archives,
    age="expires_at",
    is_upkeep=True,
)
ended_holds = Policy(
    "ended_holds",
    rows=lambda cutoff: Hold.objects.filter(until__lt=cutoff),
    retention=timedelta(days=30),
    age="until",
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
    shortest_days=400,
    is_upkeep=True,
)

old_deliveries = Policy(
    "deliveries",
    rows=lambda cutoff: Delivery.objects.filter(created_at__lt=cutoff),
    retention=timedelta(days=7),
    age="created_at",
    shortest_days=2,  # a mail is tried for one
    is_upkeep=True,
)

# What sign-ins leave behind. A token's row goes with the one that blacklists it, and only once
# the token itself has run out: a blacklisted one that is good still must stay known.
expired_tokens = Policy(
    "tokens",
    rows=lambda cutoff: OutstandingToken.objects.filter(expires_at__lt=cutoff),
    age="expires_at",
    is_upkeep=True,
)
expired_sessions = Policy(
    "sessions",
    rows=lambda cutoff: Session.objects.filter(expire_date__lt=cutoff),
    age="expire_date",
    is_upkeep=True,
)
sign_ins = Policy(
    "sign-ins",
    rows=lambda cutoff: AccessLog.objects.filter(attempt_time__lt=cutoff),
    retention=timedelta(days=90),
    age="attempt_time",
    shortest_days=90,
    is_upkeep=True,
)
failed_sign_ins = Policy(
    "failed-sign-ins",
    rows=lambda cutoff: AccessFailureLog.objects.filter(attempt_time__lt=cutoff),
    retention=timedelta(days=90),
    age="attempt_time",
    shortest_days=90,
    is_upkeep=True,
)
sign_in_counts = Policy(
    "sign-in-counts",
    rows=lambda cutoff: AccessAttempt.objects.filter(attempt_time__lt=cutoff),
    retention=timedelta(days=1),
    age="attempt_time",
    is_upkeep=True,
)
SIGN_IN_POLICIES = (expired_tokens, expired_sessions, sign_ins, failed_sign_ins, sign_in_counts)


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
def warn_never_verified_users(mail: Mail = mail_each) -> Outcome:
    """Mail accounts that never verified their address, some days before they go."""
    mailed = mail(
        "warned_users",
        _users_to_warn(),
        lambda user: accounts.warn_of_deletion(user, goes_at=clock.roughly() + _warning_time()),
    )
    outcome = Outcome(warned_users=mailed.sent, failed_mails=mailed.failed)
    outcome.failures = mailed.faults[-1:]
    return outcome


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
    policies=(
        expired_archives,
        old_plans,
        ended_holds,
        ended_runs,
        old_snapshots,
        silent_consumers,
        old_acts,
        old_deliveries,
        *SIGN_IN_POLICIES,
    ),
    done="History tidied",
)
def tidy_history(purge: Purge = purge) -> dict[str, int]:
    """Delete expired archives, plans, holds, tokens and sessions, and history of 90 days ago."""
    return {
        "deleted_archives": purge(expired_archives),
        "deleted_plans": purge(old_plans),
        "deleted_holds": purge(ended_holds),
        "deleted_runs": purge(ended_runs),
        "deleted_snapshots": purge(old_snapshots),
        "deleted_consumers": purge(silent_consumers),
        "deleted_tokens": purge(expired_tokens),
        "deleted_sessions": purge(expired_sessions),
        "deleted_sign_ins": sum(purge(one) for one in (sign_ins, failed_sign_ins, sign_in_counts)),
        "deleted_acts": purge(old_acts),
        "deleted_deliveries": purge(old_deliveries),
    }


@scheduled("archive_verification", "Archive Verification", Cron(hour=1, minute=45), is_upkeep=True)
@task("verification", done="Archives verified", has_dry_run=False)
def verify_archives(checkpoint: Checkpoint = go_on) -> Outcome:
    """Verify what purges have kept for an undo since the last look."""
    return verification.verify_new(checkpoint)
