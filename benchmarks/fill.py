"""Fills a large database by set-based SQL: runs over 90 days, messages over 60 days, and a session."""

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.utils import timezone

from chat.models import User
from housekeeping.reading import gauges

IS_POSTGRES = connection.vendor == "postgresql"

RUNS = """
INSERT INTO housekeeping_run (
    id, task, schedule, cause, status, dry_run, requested_by, requested_at, idempotency_key,
    sent_at, started_at, finished_at, as_of, cutoffs, attempts, losses, cancel_requested,
    approved_by, plan, deleted, receipt, total, result, error, traceback)
SELECT {key},
    CASE n % 5 WHEN 0 THEN 'all' WHEN 1 THEN 'conversations' WHEN 2 THEN 'messages'
               WHEN 3 THEN 'users' ELSE 'stats' END,
    '', 'manual',
    CASE WHEN n % 100 = 1 THEN 'failed' WHEN n % 97 = 2 THEN 'missed' ELSE 'succeeded' END,
    {false}, CASE n % 3 WHEN 0 THEN 'ada' ELSE '' END, {at}, '',
    {at}, {at}, {at}, {at}, '{{}}', 1, 0, {false},
    '', '{{}}', '{{"conversations": 12}}', '{{}}', 12, '{{"deleted_conversations": 12}}',
    CASE WHEN n % 100 = 1 THEN 'ProtectedError: somebody else has it' ELSE '' END, ''
FROM {series}
"""
ACTS = """
INSERT INTO housekeeping_act (done_at, who, what, target, origin, details)
SELECT {at}, 'ada', 'trigger', 'x', 'API', '{{}}' FROM {series}
"""
CONVERSATIONS = """
INSERT INTO chat_conversation (user_id, title, created_at) SELECT {user}, 'A talk', {at} FROM {series}
"""
MESSAGES = """
INSERT INTO chat_chatmessage (conversation_id, role, content, created_at)
SELECT c.id, 'user', 'Hello', c.created_at FROM chat_conversation c CROSS JOIN {series}
"""
DAY = 86_400


def fill(runs: int, messages: int) -> None:
    """Fill the database, and print the session cookie of an administrator."""
    user = User.objects.create_superuser("ada", "ada@example.com", "a password for the benchmark")
    _insert(RUNS, runs, 90 * DAY)
    _insert(ACTS, max(runs // 10, 100), 90 * DAY)
    _insert(CONVERSATIONS, messages // 10, 60 * DAY, user=user.pk)
    _insert(MESSAGES, 10, 0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if IS_POSTGRES else "ANALYZE")
    gauges.refresh(timezone.now())
    print("SESSION", _session(user))


def _insert(sql: str, count: int, seconds: int, **facts: object) -> None:
    age = f"60.0 + n * {seconds / count}"
    if IS_POSTGRES:
        at = f"now() - make_interval(secs => {age})"
        series, key, false = f"generate_series(1, {count}) AS s(n)", "gen_random_uuid()", "false"
    else:
        at = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ({age}) || ' seconds')"
        numbers = f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
        series, key, false = f"({numbers} SELECT n FROM s) AS s", "lower(hex(randomblob(16)))", "0"
    with connection.cursor() as cursor:
        cursor.execute(sql.format(at=at, series=series, key=key, false=false, **facts).replace("%", "%%"), [])


def _session(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
