"""A site with something on every page, and the addresses of all its pages."""

from datetime import timedelta

from django.utils import timezone

from chat import accounts
from housekeeping.erasure import certificate
from housekeeping.journal import acts
from housekeeping.models import (
    Consumer,
    Delivery,
    Erasure,
    Export,
    Hold,
    Incident,
    LogLine,
    Snapshot,
    TableSize,
)
from housekeeping.reading.tables import measuring
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

HOME = "/scheduler-admin"
# The pages that every project has, with nothing on them as well.
LISTS = (
    "",
    "/runs",
    "/trends",
    "/tables",
    "/holds",
    "/history",
    "/settings",
    "/alerts",
    "/consumers",
    "/erasures",
)
NUMBERS = {
    "total_users": 4, "total_conversations": 3, "total_messages": 9,
    "recent_conversations_24h": 1, "recent_messages_24h": 2,
}  # fmt: skip


def a_night(*, consumer=True):
    """The site's rows after a night of work: runs of each kind, holds, figures, acts."""
    if consumer:
        make.consumer(version="1.0")
    make.conversation(age=days(31), messages=3)
    purged = _carried_out("conversations")
    _exported(purged)
    undo = make.run("conversations", status="succeeded", undo_of=purged, requested_by="grace")
    make.conversation(age=days(40), messages=1)
    plan = _carried_out("conversations", dry_run=True)
    _figures()
    measuring.measure(timezone.now())
    acts.record(make.ADA, "pause", "weekly_cleanup", before={"is_paused": False}, after={"is_paused": True})
    until = timezone.now() + days(30)
    _alerts()
    Hold.objects.create(model="chat.Conversation", key="7", reason="A dispute", made_by="ada")
    Hold.objects.create(model="chat.Conversation", key="8", reason="Put back", undo=undo, until=until)
    return {"purged": purged, "plan": plan, "undo": undo} | _unfinished()


def _exported(run):
    file = {"model": "chat.Conversation", "file": "chat.Conversation.jsonl.gz", "rows": 1, "bytes": 812}
    folder = f"conversations/2026-11-30-{run.pk}/0001"
    facts = {"run_id": run.pk, "policy": "conversations", "model": "chat.Conversation", "storage": "cold"}
    Export.objects.create(
        **facts,
        folder=folder,
        state=Export.State.WRITTEN,
        manifest={"tables": [file]},
        rows={"chat.Conversation": 1},
        made_at=timezone.now(),
    )


def _carried_out(task, **fields):
    run = make.run(task, requested_by="ada", **fields)
    execution.execute(execution.claim(run.pk, 0))
    LogLine.objects.create(run=run, logged_at=timezone.now(), level="WARNING", text="A line of the log")
    return run


def _erased():
    """A finished erasure, with everything that its page shows."""
    now = timezone.now()
    return Erasure.objects.create(
        pseudonym="erased-3f9a1c02d7", model="chat.User", state="finished", requested_by="ada",
        requested_at=now, started_at=now, finished_at=now, digest="ab" * 32,
        rows={"chat.User": 1, "chat.Conversation": 12, "chat.ChatMessage": 1_430, "axes.AccessLog": 44},
        archived={"chat.Conversation": 3, "chat.ChatMessage": 96},
        changed={"housekeeping.Archive": 4, "housekeeping.Act": 17, "housekeeping.LogLine": 2},
        certificate={
            "left": {"chat.ChatMessage.content": 2, "shop_order.note": -1},
            "not_reached": [*certificate.NOT_REACHED, certificate.COMMON_NAME],
        },
    )  # fmt: skip


def _alerts():
    make.channel("pager", address="https://alerts.example.com/in", kinds=["failed"], tasks=["users"])
    now = timezone.now()
    incident = Incident.objects.create(
        kind="backlog", target="users", task="users", opened_at=now, told_at=now, told=1,
        text="1,700 rows were past due yesterday, 100 two days before.",
    )  # fmt: skip
    of = {"kind": "alert", "incident": incident, "channel": "pager", "transport": "webhook"}
    for answer, state in (
        ("200 OK", {"sent_at": now}),
        ("503 Service Unavailable", {"failed_at": now}),
        ("", {}),
    ):
        Delivery.objects.create(
            address="https://alerts.example.com/…", created_at=now, answer=answer, **of, **state
        )


def _unfinished():
    trace = (
        'Traceback (most recent call last):\n  File "x.py", line 1\nOSError: the disk is full ' + "x" * 300
    )
    day_before = dict.fromkeys(("requested_at", "started_at", "finished_at"), make.ago(days=1))
    make.run("users", status="succeeded", **day_before)  # the page of the failed one compares the two
    failed = make.run(
        "users", status="failed", error="OSError: the disk is full", traceback=trace,
        started_at=make.ago(minutes=4), finished_at=make.ago(minutes=3), usual_seconds=2.0,
    )  # fmt: skip
    running = make.run(
        "messages", status="running", started_at=make.ago(minutes=1), attempts=1, total=100,
        consumer=Consumer.objects.first(), worker="Worker-1", claimed_at=make.ago(minutes=1), batches=3,
    )  # fmt: skip
    held = make.run("stats", status="held", error="60 of 100 rows would go: more than the brake lets pass.")
    return {"failed": failed, "running": running, "held": held}


def _figures():
    for age in range(5):
        day = timezone.localdate() - timedelta(days=age)
        make.tally("users", day=day, runs=3 + age, rows=1200 * age, duration_ms=900)
        make.tally("users", day=day, status="failed")
        Snapshot.objects.create(taken_at=make.ago(days=age), numbers=NUMBERS, database_bytes=10_000_000)
    for table in ("chat_conversation", "django_migrations"):
        TableSize.objects.create(
            table=table, day=make.ago(days=3), measured_at=make.ago(days=3), bytes=1, rows=1
        )


def pages(made, visitor):
    """Every page of the dashboard by a name: those of who has signed in."""
    of_runs = {f"run {kind}": f"{HOME}/runs/{run.pk}" for kind, run in made.items()}
    return of_runs | {
        "overview": HOME,
        "task": f"{HOME}/tasks/conversations",
        "question": f"{HOME}/tasks/conversations/trigger",
        "runs": f"{HOME}/runs",
        "runs filtered": f"{HOME}/runs?status=failed&text=disk",
        "runs refused": f"{HOME}/runs?status=nope",
        "history": f"{HOME}/history",
        "trends": f"{HOME}/trends",
        "settings": f"{HOME}/settings",
        "consumers": f"{HOME}/consumers",
        "tables": f"{HOME}/tables?until=1GB",
        "tables refused": f"{HOME}/tables?until=nope",
        "table": f"{HOME}/tables/chat_conversation",
        "table without a policy": f"{HOME}/tables/django_migrations",
        "holds": f"{HOME}/holds",
        "erasures": f"{HOME}/erasures",
        "erasure": f"{HOME}/erasures/{_erased().pk}",
        "alerts": f"{HOME}/alerts",
        "channel": f"{HOME}/channels/pager",
        "schedule": f"{HOME}/schedules/weekly_cleanup",
        "schedule refused": f"{HOME}/schedules/weekly_cleanup?trigger=nope",
        "policy": f"{HOME}/policies/conversations/preview",
        "policy changed": f"{HOME}/policies/conversations?retention_days=10",
        "password": "/password",
        "verify": f"/verify/{accounts.verification_token(visitor)}",
        "verify refused": "/verify/nope",
        "docs": "/api/docs",
        "not found": f"{HOME}/nothing",
    }
