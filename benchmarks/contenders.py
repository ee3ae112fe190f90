"""The ways to purge that ``purge.py`` compares, and a process that writes meanwhile.

Each runs as its own process, on the database that the environment names:

    contenders.py build MESSAGES    fill a migrated database
    contenders.py raw|django|ours|signal|told|django-told DAYS    purge, and print the measurements as JSON
    contenders.py db-purge|data-purger DAYS    the same with a peer, which must be on PYTHONPATH
    contenders.py raw-undo|undo DAYS    purge flat-out, put all rows back, and print the measurements
    contenders.py writer    insert a message every few milliseconds until stdin ends

"ours" is a whole run as a consumer executes it: the counts before and after, the brake, the lease, a
checkpoint, a receipt and an archive (unless HOUSEKEEPING_UNDO_DAYS is 0). Each way warms up first, since a
consumer has usually executed other runs before. BENCHMARK_SHAPE is the shape of the data (``purge.py``).
"""

import json
import select
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import QuerySet  # noqa: E402
from django.db.models.signals import post_delete  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.data import PER_CONVERSATION, SHAPE, build  # noqa: E402
from benchmarks.keyed.models import Parcel, Scan  # noqa: E402
from chat.models import ChatMessage, Conversation, User  # noqa: E402
from chat.tasks import old_conversations  # noqa: E402
from housekeeping.declared import registry  # noqa: E402
from housekeeping.models import Run  # noqa: E402
from housekeeping.runs import control  # noqa: E402
from housekeeping.runs.work import execution  # noqa: E402

PAUSE = 0.005  # seconds between two inserts by the writer

# The rows that are deleted with all below them, the column of their age, and the policy.
TOP, AGE, POLICY = {
    "users": (User, "date_joined", "users"),
    "uuid": (Parcel, "sent_at", "parcels"),
}.get(SHAPE, (Conversation, "created_at", "conversations"))

# --- The contenders ---------------------------------------------------------------------------


def raw(days: float) -> int:
    """One DELETE of the messages by subselect, then one of their conversations; of the shape "users",
    then one of the users.
    """
    cutoff = timezone.now() - timedelta(days=days)
    if SHAPE == "users":
        return _raw_users(cutoff)
    old = "FROM chat_conversation WHERE created_at < %s"
    below = "FROM chat_chatmessage WHERE conversation_id"
    if SHAPE == "uuid":
        old, below = "FROM keyed_parcel WHERE sent_at < %s", "FROM keyed_scan WHERE parcel_id"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE {below} IN (SELECT id {old})", [cutoff])
        rows = cursor.rowcount
        cursor.execute(f"DELETE {old}", [cutoff])
        return rows + cursor.rowcount


def _raw_users(cutoff: datetime) -> int:
    old = "FROM chat_user WHERE date_joined < %s"
    theirs = f"FROM chat_conversation WHERE user_id IN (SELECT id {old})"
    rows = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for which in (f"FROM chat_chatmessage WHERE conversation_id IN (SELECT id {theirs})", theirs, old):
            cursor.execute(f"DELETE {which}", [cutoff])
            rows += cursor.rowcount
    return rows


def naive(days: float) -> int:
    """Django's own ``.delete()`` of all old rows."""
    rows, _ = _old(days).delete()
    return rows


def _old(days: float) -> QuerySet[Any]:
    """What all ways delete, with the rows below it."""
    return TOP.objects.filter(**{f"{AGE}__lt": timezone.now() - timedelta(days=days)})


def db_purge(days: float) -> int:
    """django-db-purge, which counts only the rows at the top."""
    from dbpurge.management.commands.db_purge import Command

    old = _old(days)
    policy = {
        "app_name": old.model._meta.app_label,
        "model_name": old.model.__name__,
        "time_based_column_name": AGE,
        "data_retention_num_seconds": int(days * 86_400),
    }
    rows = Command().delete_expired_records(**policy)
    each = PER_CONVERSATION + 1
    return int(rows) * (1 + PER_CONVERSATION * each if SHAPE == "users" else each)


def data_purger(days: float) -> int:
    """django-data-purger, in batches of its default size."""
    from django_data_purger import DataPurger

    class Old(DataPurger):
        def run(self, *, now: datetime) -> Any:
            return self._delete_queryset_in_batch(_old(days))

    return sum(int(one.affected_items) for one in Old().run(now=timezone.now()))


def ours(days: float) -> int:
    """A run. Its retention comes from the environment, like its other settings."""
    return sum(_carried_out(POLICY).receipt[POLICY]["rows"].values())


def _carried_out(task: str) -> Run:
    return _end(control.request(task, send=_unsent))


def _unsent(run: Run) -> None:
    pass


def _end(asked: Run) -> Run:
    claimed = execution.claim(asked.pk, asked.attempts)
    assert claimed
    run = execution.execute(claimed)
    if run.status != run.Status.SUCCEEDED:
        raise SystemExit(f"The run {run.status}: {run.error}")
    return run


def signal(days: float) -> int:
    _listen()
    return ours(days)


def django_told(days: float) -> int:
    _listen()
    return naive(days)


def told(days: float) -> int:
    """A run of a policy that sends the signals."""
    _listen()
    policy = replace(old_conversations, name="told", send_signals=True)
    registry.task(policy=policy)(lambda purge: {"deleted": purge(policy)})
    return sum(_carried_out("told").receipt["told"]["rows"].values())


def _listen() -> None:
    for model in (Conversation, ChatMessage):
        post_delete.connect(_seen, sender=model)


def _seen(**_: object) -> None:
    pass


def warm_up(name: str) -> None:
    if name in ("django", "db-purge", "data-purger"):
        Conversation.objects.filter(pk=-1).delete()
    elif not name.startswith("raw"):
        _carried_out("messages" if SHAPE == "users" else "users")


# --- Putting back -----------------------------------------------------------------------------


def purge_flat_out(days: float) -> None:
    """Purge with an archive and at full speed, regardless of the pace of the undo."""
    pace, settings.HOUSEKEEPING_PACE = settings.HOUSEKEEPING_PACE, "flat-out"
    ours(days)
    settings.HOUSEKEEPING_PACE = pace
    _settle()


def undo(days: float) -> int:
    """Put back what :func:`purge_flat_out` has deleted."""
    asked = control.undo(Run.objects.filter(task="conversations").latest("requested_at"), send=_unsent)
    back: int = _end(asked).deleted["restored"]
    return back


def copy_and_delete(days: float) -> None:
    """Copy the old rows to separate tables without indexes, then delete them."""
    cutoff = timezone.now() - timedelta(days=days)
    old = "SELECT id FROM chat_conversation WHERE created_at < %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE old_message AS SELECT * FROM chat_chatmessage WHERE conversation_id IN ({old})",
            [cutoff],
        )
        cursor.execute(
            f"CREATE TABLE old_conversation AS SELECT * FROM chat_conversation WHERE id IN ({old})", [cutoff]
        )
    raw(days)
    _settle()


def raw_undo(days: float) -> int:
    """One INSERT … SELECT of the conversations and one of their messages, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO chat_conversation SELECT * FROM old_conversation")
        rows = cursor.rowcount
        cursor.execute("INSERT INTO chat_chatmessage SELECT * FROM old_message")
        return rows + cursor.rowcount


def _settle() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


CONTENDERS: dict[str, Callable[[float], int]] = {
    "raw": raw,
    "django": naive,
    "ours": ours,
    "signal": signal,
    "django-told": django_told,
    "db-purge": db_purge,
    "data-purger": data_purger,
    "told": told,
    "raw-undo": raw_undo,
    "undo": undo,
}
BEFORE: dict[str, Callable[[float], None]] = {"raw-undo": copy_and_delete, "undo": purge_flat_out}


class Clock:
    """Measures each transaction from its BEGIN, without waiting for the lock, to the end of its COMMIT."""

    def __init__(self) -> None:
        self.longest, self.began = 0.0, 0.0
        self.switch, self.commit = connection.set_autocommit, connection.commit
        connection.set_autocommit = self._set_autocommit  # type: ignore[method-assign]
        connection.commit = self._commit  # type: ignore[method-assign]

    def _set_autocommit(self, autocommit: bool, **options: bool) -> None:
        self.switch(autocommit, **options)
        self.began = time.monotonic()

    def _commit(self) -> None:
        self.commit()
        self.longest = max(self.longest, time.monotonic() - self.began)


def measure(name: str, days: float) -> None:
    connection.ensure_connection()
    warm_up(name)
    BEFORE.get(name, lambda days: None)(days)
    clock = Clock()
    began, started, worked = time.time(), time.monotonic(), _worked()
    rows = CONTENDERS[name](days)
    seconds, worked = time.monotonic() - started, _worked() - worked
    took = {"rows": rows, "seconds": seconds, "cpu": worked, "began": began, "ended": began + seconds}
    print(json.dumps(took | {"longest": clock.longest, "peak": _peak()}))


def _worked() -> float:
    """The seconds that this process, and its PostgreSQL server process, have kept a processor busy."""
    seconds = time.process_time()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
        seconds += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return seconds


def _peak() -> int:
    """The peak memory of this process, in bytes. Not ru_maxrss, which a child inherits from its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


# --- The writer -------------------------------------------------------------------------------


def write() -> None:
    """Insert messages until stdin ends, then print ``[moment, seconds]`` of each insert as JSON."""
    if SHAPE == "uuid":
        row = Scan(parcel=Parcel.objects.latest("sent_at"), words="Hello", scanned_at=timezone.now())
    else:
        row = ChatMessage(conversation=Conversation.objects.latest("pk"), role="user", content="Hello")
    waits = []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        began, started = time.time(), time.monotonic()
        row.pk = uuid4() if SHAPE == "uuid" else None
        row.save(force_insert=True)
        waits.append((began, time.monotonic() - started))
    print(json.dumps(waits))


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(int(sys.argv[2]))
    elif sys.argv[1] == "writer":
        write()
    else:
        measure(sys.argv[1], float(sys.argv[2]))
