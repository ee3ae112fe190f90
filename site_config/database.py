"""The database of the site: what Django, SQLite and PostgreSQL need to run day and night."""

from typing import Any

SQLITE = {
    # A transaction takes the write lock at its start and waits for it. By default it takes the lock halfway,
    # and then fails with "database is locked" without waiting.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # Readers don't wait for the writer, and writes are 7 times as fast as with the defaults.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# Never wait forever for a server that is gone (in seconds; tcp_user_timeout in ms).
POSTGRES = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# Nor for the locks of a process that was stopped inside a transaction.
AT_START = {"options": "-c idle_in_transaction_session_timeout=30s"}


def configured(found: dict[str, Any], *, is_pooled: bool) -> dict[str, Any]:
    """Django's configuration of the database whose place is ``found``.

    ``is_pooled``: the site reaches PostgreSQL through PgBouncer in transaction mode.
    """
    if found["ENGINE"] == "django.db.backends.sqlite3":
        # A file for the tests, too, because they share it with real consumers.
        return found | {"OPTIONS": SQLITE, "TEST": {"NAME": f"{found['NAME']}.test"}}
    # PgBouncer takes no startup options: its own idle_transaction_timeout ends such a transaction. And a
    # server-side cursor needs one connection, while the pooler may use another for each transaction.
    options = POSTGRES | ({} if is_pooled else AT_START) | found.get("OPTIONS", {})
    lasting = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": is_pooled}
    return found | lasting | {"OPTIONS": options}
