"""The data of ``purge.py``. BENCHMARK_SHAPE in the environment is its shape."""

import os
import random
from datetime import timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

DAYS = 100  # the ages of conversations are spread evenly over this many
PER_CONVERSATION = 10
SHAPE = os.environ.get("BENCHMARK_SHAPE", "chat")
POSTGRES = connection.vendor == "postgresql"
WIDE = 15  # sentences of a wide message
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {} - 1)"
SENTENCE = "JOIN sentence ON sentence.id = i * 7919 %% 10007"


def build(messages: int) -> None:
    """Fill the tables of the shape, and let the database settle."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE sentence (id integer PRIMARY KEY, words text)")
        cursor.executemany("INSERT INTO sentence VALUES (%s, %s)", list(enumerate(_sentences())))
        fill = _parcels if SHAPE == "uuid" else _conversations
        fill(cursor, messages, f"{timezone.now() - timedelta(days=DAYS):%Y-%m-%d %H:%M:%S}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)" if POSTGRES else "PRAGMA wal_checkpoint(TRUNCATE)")


def _conversations(cursor: CursorWrapper, messages: int, begin: str) -> None:
    """Insert conversations with ten messages each, and users with ten conversations.

    Of the shape "users", no user was ever verified, and their ages are spread instead. Fifty conversations
    go on at the same time, so that the messages of one are not adjacent in the table.
    """
    conversations = messages // PER_CONVERSATION
    seconds = DAYS * 86_400 / conversations
    users = max(conversations // 10, 1)
    joined = "CURRENT_TIMESTAMP"
    if SHAPE == "users":
        joined = _after_begin(f"i * {DAYS * 86_400 / users}")
    cursor.execute(
        f"{NUMBERS.format(users)} INSERT INTO chat_user (id, username, email, email_verified_at,"
        " is_active, password, first_name, last_name, is_staff, is_superuser, date_joined)"
        f" SELECT i + 1, 'user' || i, 'user' || i || '@example.com', {_verified()},"
        f" '', '', '', false, false, {joined} FROM n",
        [begin] if SHAPE == "users" else [],
    )
    cursor.execute(
        f"{NUMBERS.format(conversations)} INSERT INTO chat_conversation"
        " (id, user_id, title, created_at, last_message_at)"
        f" SELECT i + 1, i %% {users} + 1, 'Conversation ' || i, {_after_begin(f'i * {seconds}')},"
        f" {_after_begin(f'(i * {seconds} + 600)')} FROM n",
        [begin, begin],
    )
    cursor.execute(
        f"{NUMBERS.format(messages)} INSERT INTO chat_chatmessage"
        " (id, conversation_id, role, content, created_at)"
        " SELECT i + 1, i / 500 * 50 + i %% 50 + 1,"
        " CASE i / 50 %% 2 WHEN 0 THEN 'user' ELSE 'assistant' END, words,"
        f" {_after_begin(f'(i / 500 * 50 + i %% 50) * {seconds} + i / 50 %% 10 * 60')}"
        f" FROM n {SENTENCE}",
        [begin],
    )
    if POSTGRES:
        for table in ("chat_user", "chat_conversation", "chat_chatmessage"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {table}", [table])


def _parcels(cursor: CursorWrapper, scans: int, begin: str) -> None:
    """Insert parcels with ten scans each. All keys are random."""
    parcels = scans // PER_CONVERSATION
    seconds = DAYS * 86_400 / parcels
    cursor.execute(
        f"{NUMBERS.format(parcels)} INSERT INTO keyed_parcel (id, sent_at)"
        f" SELECT {_key('parcel', 'i')}, {_after_begin(f'i * {seconds}')} FROM n",
        [begin],
    )
    parcel = "i / 500 * 50 + i %% 50"
    cursor.execute(
        f"{NUMBERS.format(scans)} INSERT INTO keyed_scan (id, parcel_id, words, scanned_at)"
        f" SELECT {_key('scan', 'i')}, {_key('parcel', parcel)}, words,"
        f" {_after_begin(f'({parcel}) * {seconds} + i / 50 %% 10 * 60')} FROM n {SENTENCE}",
        [begin],
    )


def _key(what: str, number: str) -> str:
    """SQL of a random key, always the same for a number."""
    return f"md5('{what}' || ({number})){'::uuid' if POSTGRES else ''}"


def _after_begin(seconds: str) -> str:
    """SQL of the moment so many seconds after a parameter."""
    if POSTGRES:
        return f"TIMESTAMPTZ %s + ({seconds}) * INTERVAL '1 second'"
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f000', %s, '+' || ({seconds}) || ' seconds')"


def _verified() -> str:
    """When a user was verified, and whether it is active."""
    return "NULL, false" if SHAPE == "users" else "CURRENT_TIMESTAMP, true"


def _sentences() -> list[str]:
    """10,007 texts of 4 to 30 words, about 100 characters each, that compress as well as chat messages.

    Of the shape "wide", 15 times as long.
    """
    size = WIDE if SHAPE == "wide" else 1
    chance = random.Random(4)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(chance.choices(letters, range(26, 0, -1), k=chance.randint(2, 9))) for _ in range(3000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [" ".join(chance.choices(words, weights, k=size * chance.randint(4, 30))) for _ in range(10_007)]
