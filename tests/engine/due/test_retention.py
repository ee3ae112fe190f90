"""A policy never touches a row that is one microsecond too young: any zone, any clock change."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from allauth.usersessions.models import UserSession
from axes.models import AccessFailureLog, AccessLog
from django.utils import timezone

from chat.models import Conversation, User
from housekeeping.declared import registry
from housekeeping.engine.purge import purge_batches
from housekeeping.models import Act, Consumer, Delivery, Hold, Incident, PlannedRows, Run, Snapshot, TableSize
from housekeeping.runs.work import execution
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

MOMENT = timedelta(microseconds=1)
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]
# When the clocks change in 2026, and the new year.
CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York, forward
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # and back
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Berlin
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe, by half an hour
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
]
TASK_OF = {"conversations": "conversations", "users": "users"}  # the others are steps of "history"


def conversation(moment):
    return Conversation(user=User.objects.get(username="owner"), created_at=moment)


def visitor(moment):
    return User(
        username=f"{moment}", email=f"{moment.timestamp()}@x.org", date_joined=moment, is_active=False
    )


def ended_run(moment):
    return Run(task="stats", cause="manual", status="succeeded", requested_at=moment)


def snapshot(moment):
    return Snapshot(taken_at=moment, numbers={})


def consumer(moment):
    facts = {"host": "x", "pid": 1, "workers": 1, "worker_type": "thread", "schedules": True}
    return Consumer(started_at=moment, last_heartbeat_at=moment, **facts)


def planned_rows(moment):
    run = ended_run(moment)
    run.save()
    return PlannedRows(run=run, policy="users", rows=0, payload=b"")


def hold(moment):
    return Hold(model="chat.User", key="1", until=moment, reason="A dispute")


def act(moment):
    return Act(done_at=moment, what="trigger", target="x", origin="a test")


def delivery(moment):
    return Delivery(address="ada@example.com", created_at=moment)


def table_size(moment):
    return TableSize(table=uuid.uuid4().hex, day=moment.date(), measured_at=moment)


def incident(moment):
    return Incident(kind="consumer", opened_at=moment, told_at=moment, closed_at=moment)


def sign_in(model):
    def made(moment):
        row = model(username="ada", ip_address="127.0.0.1", user_agent="x", path_info="/sign-in")
        row.save()
        # Axes fills the moment in as a row is made.
        model.objects.filter(pk=row.pk).update(attempt_time=moment)
        row.attempt_time = moment
        row.save = lambda **options: None
        return row

    return made


def listed_session(moment):
    return UserSession(
        user=make.user(), session_key=uuid.uuid4().hex, ip="::1", user_agent="x", created_at=moment
    )


ROWS = {
    "user-sessions": listed_session,
    "acts": act,
    "sign-ins": sign_in(AccessLog),
    "failed-sign-ins": sign_in(AccessFailureLog),
    "plans": planned_rows,
    "ended_holds": hold,
    "conversations": conversation,
    "users": visitor,
    "runs": ended_run,
    "snapshots": snapshot,
    "table_sizes": table_size,
    "consumers": consumer,
    "deliveries": delivery,
    "incidents": incident,
}
POLICIES = {policy.name: policy for task in registry.TASKS.values() for policy in task.policies}


def test_every_policy_with_a_retention_is_tried_here():
    # Of axes' counts a user agent, a name and an address have one row: no three at once.
    tried = {name for name, policy in POLICIES.items() if policy.retention} - {"sign-in-counts"}
    assert tried == set(ROWS)


# Our own rows go by the same code: one zone that changes its clocks is enough for them.
CASES = [(name, zone, CHANGES) for name in ("conversations", "users") for zone in ZONES]
CASES += [(name, ZONES[1], CHANGES[:1]) for name in ROWS if name not in ("conversations", "users")]


@pytest.mark.parametrize(
    ("name", "zone", "changes"), CASES, ids=[f"{name}-{zone}" for name, zone, _ in CASES]
)
def test_at_the_cutoff_it_stays_and_one_microsecond_before_it_goes(settings, name, zone, changes):
    settings.TIME_ZONE = zone
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    make.user(username="owner", password=None)
    policy = POLICIES[name]
    for change in changes:
        for as_of in (change + policy.retention, change):
            cutoff = as_of - policy.retention
            gone, at, after = (ROWS[name](cutoff + apart) for apart in (-MOMENT, MOMENT * 0, MOMENT))
            for row in (gone, at, after):
                row.save(force_insert=True)

            run = Run.objects.create(
                task=TASK_OF.get(name, "history"),
                cause="manual",
                status="queued",
                requested_at=timezone.now(),
            )
            claimed = execution.claim(run.pk, 0)
            claimed.as_of = as_of
            run = execution.execute(claimed)

            assert (run.status, run.deleted[name]) == ("succeeded", 1), run.error
            there = policy.model.objects.filter(pk__in=[gone.pk, at.pk, after.pk])
            assert set(there.values_list("pk", flat=True)) == {at.pk, after.pk}
            policy.model.objects.filter(pk__in=[at.pk, after.pk]).delete()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_by_the_last_activity_it_is_the_same(settings, change, zone):
    settings.TIME_ZONE = zone
    settings.HOUSEKEEPING_CONVERSATION_AGE_FROM = "last_message_at"
    policy = POLICIES["conversations"]
    old = datetime(2025, 1, 1, tzinfo=UTC)
    gone, *kept = (
        make.conversation(created_at=old, last_message_at=change + apart)
        for apart in (-MOMENT, MOMENT * 0, MOMENT)
    )
    imported = make.conversation(created_at=old)
    make.message(conversation=imported, created_at=change)

    cutoff = policy.cutoff(change + policy.retention)
    keys = [key for batch in purge_batches(policy, cutoff=cutoff) for key in batch.keys]

    assert keys == [gone.pk]
    assert set(Conversation.objects.all()) == {*kept, imported}
