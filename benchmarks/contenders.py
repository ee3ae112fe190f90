"""The ways to purge that ``purge.py`` compares, and a process that writes meanwhile.

Each runs as its own process, on the database that the environment names:

    contenders.py build MESSAGES    fill a migrated database
    contenders.py raw|django|ours|signal|told|django-told DAYS    purge, and print the measurements as JSON
    contenders.py raw-undo|undo DAYS    purge flat-out, put all rows back, and print the measurements
    contenders.py writer    insert a message every few milliseconds until stdin ends

"ours" is a whole run as a consumer executes it: the counts before and after, the brake, the lease, a
checkpoint, a receipt and an archive (unless HOUSEKEEPING_UNDO_DAYS is 0). Each way warms up first, since a
consumer has usually executed other runs before.
"""

import json
import random
import select
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models.signals import post_delete  # noqa: E402
from django.utils import timezone  # noqa: E402

from chat.models import ChatMessage, Conversation  # noqa: E402
from chat.tasks import old_conversations  # noqa: E402
from housekeeping.declared import registry  # noqa: E402
from housekeeping.models import Run  # noqa: E402
from housekeeping.runs import control  # noqa: E402
from housekeeping.runs.work import execution  # noqa: E402

DAYS = 100  # the ages of conversations are spread evenly over this many
PER_CONVERSATION = 10
PAUSE = 0.005  # seconds between two inserts by the writer


# --- The data ---------------------------------------------------------------------------------


def build(messages: int) -> None:
    """Insert conversations with ten messages each.

    Fifty of them go on at the same time, so that the messages of a conversation are not adjacent in the
    table.
    """
    conversations = messages // PER_CONVERSATION
    seconds = DAYS * 86_400 / conversations
    moment = (
        "TIMESTAMPTZ %s + ({}) * INTERVAL '1 second'"
        if connection.vendor == "postgresql"
        else "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', %s, '+' || ({}) || ' seconds')"
    )
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {} - 1)"
    )
    begin = f"{timezone.now() - timedelta(days=DAYS):%Y-%m-%d %H:%M:%S}"
    users = max(conversations // 10, 1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE sentence (id integer PRIMARY KEY, words text)")
        cursor.executemany("INSERT INTO sentence VALUES (%s, %s)", list(enumerate(_sentences())))
        cursor.execute(
            f"{numbers.format(users)} INSERT INTO chat_user (id, username, email, email_verified_at,"
            " is_active, password, first_name, last_name, is_staff, is_superuser, date_joined)"
            " SELECT i + 1, 'user' || i, 'user' || i || '@example.com', CURRENT_TIMESTAMP,"
            " true, '', '', '', false, false, CURRENT_TIMESTAMP FROM n"
        )
        cursor.execute(
            f"{numbers.format(conversations)} INSERT INTO chat_conversation"
            " (id, user_id, title, created_at, last_message_at)"
            f" SELECT i + 1, i %% {users} + 1, 'Conversation ' || i, {moment.format(f'i * {seconds}')},"
            f" {moment.format(f'(i * {seconds} + 600)')} FROM n",
            [begin, begin],
        )
        cursor.execute(
            f"{numbers.format(messages)} INSERT INTO chat_chatmessage"
            " (id, conversation_id, role, content, created_at)"
            " SELECT i + 1, i / 500 * 50 + i %% 50 + 1,"
            " CASE i / 50 %% 2 WHEN 0 THEN 'user' ELSE 'assistant' END, words,"
            f" {moment.format(f'(i / 500 * 50 + i %% 50) * {seconds} + i / 50 %% 10 * 60')}"
            " FROM n JOIN sentence ON sentence.id = i * 7919 %% 10007",
            [begin],
        )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in ("chat_user", "chat_conversation", "chat_chatmessage"):
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {table}", [table]
                )
            cursor.execute("VACUUM (ANALYZE)")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _sentences() -> list[str]:
    """10,007 texts of 4 to 30 words, about 100 characters each, that compress as well as chat messages."""
    chance = random.Random(4)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(chance.choices(letters, range(26, 0, -1), k=chance.randint(2, 9))) for _ in range(3000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [" ".join(chance.choices(words, weights, k=chance.randint(4, 30))) for _ in range(10_007)]


# --- The contenders ---------------------------------------------------------------------------


def raw(days: float) -> int:
    """One DELETE of the messages by subselect, then one of their conversations."""
    cutoff = timezone.now() - timedelta(days=days)
    old = "FROM chat_conversation WHERE created_at < %s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM chat_chatmessage WHERE conversation_id IN (SELECT id {old})", [cutoff])
        rows = cursor.rowcount
        cursor.execute(f"DELETE {old}", [cutoff])
        return rows + cursor.rowcount


def naive(days: float) -> int:
    """Django's own ``.delete()`` of all old conversations."""
    rows, _ = Conversation.objects.filter(created_at__lt=timezone.now() - timedelta(days=days)).delete()
    return rows


def ours(days: float) -> int:
    """A run. Its retention comes from the environment, like its other settings."""
    return sum(_carried_out("conversations").receipt["conversations"]["rows"].values())


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
    if name == "django":
        Conversation.objects.filter(pk=-1).delete()
    elif not name.startswith("raw"):
        _carried_out("users")


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
    began, started = time.time(), time.monotonic()
    rows = CONTENDERS[name](days)
    seconds = time.monotonic() - started
    took = {"rows": rows, "seconds": seconds, "began": began, "ended": began + seconds}
    print(json.dumps(took | {"longest": clock.longest, "peak": _peak()}))


def _peak() -> int:
    """The peak memory of this process, in bytes. Not ru_maxrss, which a child inherits from its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


# --- The writer -------------------------------------------------------------------------------


def write() -> None:
    """Insert messages until stdin ends, then print ``[moment, seconds]`` of each insert as JSON."""
    conversation = Conversation.objects.latest("pk")
    waits = []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        began, started = time.time(), time.monotonic()
        ChatMessage.objects.create(conversation=conversation, role="user", content="Hello")
        waits.append((began, time.monotonic() - started))
    print(json.dumps(waits))


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(int(sys.argv[2]))
    elif sys.argv[1] == "writer":
        write()
    else:
        measure(sys.argv[1], float(sys.argv[2]))
