"""Loaded before Django's settings: where the tests' database and queue are.

A developer's own .env and queue must not leak into the tests, nor the tests into them.
TEST_DATABASE=postgres runs them on a PostgreSQL server of their own instead of SQLite, and
TEST_DATABASE=pgbouncer puts PgBouncer in front of it, and of the queue's (with --reuse-db: the
pooler's connections keep the database from being dropped).
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack

import pytest

from tests import services

_scratch = tempfile.mkdtemp(prefix="housekeeping-tests-")
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)

for _name in [name for name in os.environ if name.startswith(("HOUSEKEEPING_", "HUEY_"))]:
    del os.environ[_name]
os.environ |= {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "a key for the tests alone, as long as Django wants one to be",
    "HUEY_URL": f"sqlite:///{_scratch}/huey.sqlite3",
    "EMAIL_URL": "memorymail://",
    "SITE_URL": "http://testserver",
    "DEBUG": "false",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    "TIME_ZONE": "UTC",
    "LOG_FILE": "",
}
os.environ.setdefault("DATABASE_URL", f"sqlite:///{_scratch}/db.sqlite3")
_database = os.environ.get("TEST_DATABASE")
os.environ["BEHIND_PGBOUNCER"] = str(_database == "pgbouncer")
if _database in ("postgres", "pgbouncer"):
    _server = ExitStack()
    try:
        os.environ["DATABASE_URL"] = _server.enter_context(services.postgres())
        if _database == "pgbouncer":
            pooled = _server.enter_context(services.pgbouncer(os.environ["DATABASE_URL"]))
            os.environ["DATABASE_URL"] = pooled
    except pytest.skip.Exception as reason:
        print(f"Skipped: {reason}")
        sys.exit(0)
    atexit.register(_server.close)
# A shell that puts a job into the background has it ignore Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Playwright's own event loop makes Django think that tests are async.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
