"""Builders of rows. A test names the fields that matter to it, and an age instead of a time."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from json import dumps
from typing import Any

import zstandard
from django.db import connection
from django.utils import timezone

from chat.models import ChatMessage, Conversation, User
from housekeeping.declared import registry
from housekeeping.engine.packing import columns
from housekeeping.journal import tallies
from housekeeping.journal.acts import Actor
from housekeeping.models import Archive, Channel, Consumer, Run, ScheduleState, Tally
from housekeeping.runs import control, schedules
from housekeeping.runs.work import execution

_number = itertools.count(1)
# Forged cursors, before they are encoded in base64.
CURSORS = [
    b"p=notadate",
    b"p=9999-12-31T23:59:59-14:00",
    b"p=0001-01-01T00:00:00%2B14:00",
    b"p=2020-01-01T00:00:00",  # without an offset
    b"p=2020-02-30T00:00:00Z",
    b"p=%00",
    b"p=\xff",
    b"\xff\xfe",
    b"o=" + b"9" * 5_000,
]
ADA = Actor("ada", "a test")


def days(number: float) -> timedelta:
    return timedelta(days=number)


def ago(**age: float) -> datetime:
    return timezone.now() - timedelta(**age)


def user(**fields: Any) -> User:
    """A verified, active account."""
    name = f"user{next(_number)}"
    fields = {"is_active": True, "email_verified_at": timezone.now()} | fields
    age = fields.pop("age", None)
    if age is not None:
        fields["date_joined"] = timezone.now() - age
    return User.objects.create_user(
        fields.pop("username", name), fields.pop("email", f"{name}@example.com"), **fields
    )


def visitor(**fields: Any) -> User:
    """An account that has never verified its address."""
    return user(**{"is_active": False, "email_verified_at": None} | fields)


def administrator(**fields: Any) -> User:
    return user(**{"is_superuser": True, "is_staff": True} | fields)


def conversation(*, age: timedelta = timedelta(), messages: int = 0, **fields: Any) -> Conversation:
    fields.setdefault("created_at", timezone.now() - age)
    made = Conversation.objects.create(user=fields.pop("user", None) or user(), **fields)
    for _ in range(messages):
        message(conversation=made, created_at=made.created_at)
    return made


def message(**fields: Any) -> ChatMessage:
    """An orphaned message, unless a conversation is given."""
    fields = {"role": "user", "content": "Hello"} | fields
    return ChatMessage.objects.create(**fields)


def litter() -> None:
    """One row for each policy to purge (the old conversation has two messages), and one to keep."""
    conversation(age=days(31), messages=2)
    message()
    visitor(age=days(8))
    conversation(messages=1)
    visitor(age=days(6))


def run(task: str = "conversations", **fields: Any) -> Run:
    fields = {"cause": "manual", "status": "queued", "requested_at": timezone.now()} | fields
    return Run.objects.create(task=task, **fields)


def purge(*, batch_size: int | None = None, **fields: Any) -> Run:
    """A purge of two conversations and five messages, as it really ran."""
    conversation(age=days(31), messages=3)
    conversation(age=days(32), messages=2)
    asked = control.request("conversations", send=lambda run: None, **fields)
    claimed = execution.claim(asked.pk, 0)
    assert claimed
    return execution.execute(claimed, batch_size=batch_size)


def archive(run: Run, **fields: Any) -> Archive:
    """An archive with one row, an orphaned message."""
    rows = b'[[1, null, "user", "Hello", "2025-01-01 00:00:00"]]'
    if connection.vendor == "postgresql":
        rows = b"1\t\\N\tuser\tHello\t2025-01-01 00:00:00+00\n"
    fields = {
        "policy": "messages",
        "model": "chat.ChatMessage",
        "is_own": not fields.get("emptied"),
        "schema": [[one.column, one.db_type(connection)] for one in columns(ChatMessage)],
        "vendor": connection.vendor,
        "rows": 1,
        "payload": zstandard.compress(rows),
        "size": 10,
        "expires_at": timezone.now() + timedelta(days=7),
    } | fields
    return Archive.objects.create(run=run, **fields)


def tally(task: str = "conversations", **fields: Any) -> Tally:
    """One run of today that succeeded."""
    fields = {"day": timezone.localdate(), "status": "succeeded", "runs": 1} | fields
    return Tally.objects.create(task=task, **fields)


def consumer(*, age: timedelta = timedelta(), **fields: Any) -> Consumer:
    """A consumer whose last heartbeat is ``age`` old."""
    beat = timezone.now() - age
    fields = {"host": "host", "pid": 1, "workers": 2, "worker_type": "thread", "schedules": True} | fields
    return Consumer.objects.create(**{"started_at": beat, "last_heartbeat_at": beat} | fields)


def channel(name: str = "pager", **fields: Any) -> Channel:
    now = timezone.now()
    return Channel.objects.create(
        **{"name": name, "kind": "webhook", "made_at": now, "changed_at": now} | fields
    )


def schedule_state(schedule: str, *, due: datetime, **fields: Any) -> ScheduleState:
    """The state of a schedule whose next fire time is ``due``, computed from its declared trigger."""
    fields = {"computed_from": schedules.find(schedule).source, "computed_at": ago(days=100)} | fields
    return ScheduleState.objects.create(id=schedule, next_fire_at=due, **fields)


def json(body: Any) -> str:
    """The text of a JSON body."""
    return dumps(body)


@contextmanager
def refusal(event: str, *, of: Run | None = None) -> Iterator[None]:
    """Meanwhile, a trigger in the database refuses an INSERT or UPDATE of runs, or of one run."""
    body, drop = "BEGIN SELECT RAISE(ABORT, 'refused'); END", "DROP TRIGGER refusal"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'refused' USING ERRCODE = 'integrity_constraint_violation'; END $$"
            )
            body, drop = "EXECUTE FUNCTION refuse()", "DROP FUNCTION refuse CASCADE"
        key = of and Run._meta.get_field("id").get_db_prep_value(of.pk, connection)
        condition = f"WHEN (OLD.id = '{key}')" if of else ""
        cursor.execute(
            f"CREATE TRIGGER refusal BEFORE {event} ON housekeeping_run FOR EACH ROW {condition} {body}"
        )
        try:
            yield
        finally:
            cursor.execute(drop)


def ended(
    *,
    age: timedelta = timedelta(),
    seconds: float = 2.0,
    rows: int = 50,
    status: str = "succeeded",
    task: str = "users",
    **fields: Any,
) -> Run:
    """A run that ended so long ago, with its tally."""
    finished = timezone.now() - age
    began = finished - timedelta(seconds=seconds)
    made = run(
        task,
        status=status,
        requested_at=began,
        started_at=began,
        finished_at=finished,
        deleted={task: rows},
        receipt={task: {"rows": {}}},
        **fields,
    )
    tallies.add(made)
    return made


@contextmanager
def dishes(**options: Any) -> Iterator[list[Exception]]:
    """A task ``dishes`` that raises the first of a list of errors, and succeeds while it is empty."""
    errors: list[Exception] = []

    @registry.task("dishes", **options)
    def wash_dishes() -> dict[str, int]:
        if errors:
            raise errors[0]
        return {"plates": 1}

    try:
        yield errors
    finally:
        del registry.TASKS["dishes"]
