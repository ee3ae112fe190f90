"""Sets the database and the queue of the tests. Loaded before Django's settings.

The tests must not use a developer's own .env, database or queue. TEST_DATABASE=postgres runs them on a new
PostgreSQL server instead of SQLite. TEST_DATABASE=pgbouncer puts PgBouncer in front of that server and of the
queue's. It needs --reuse-db, since the pooler's connections prevent dropping the database.
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
    # Set even if it is set already: a proof's own pytest would use the database of the one that started it.
    "DATABASE_URL": f"sqlite:///{_scratch}/db.sqlite3",
    "SECRET_KEY": "a key for the tests alone, as long as Django wants one to be",
    "HUEY_URL": f"sqlite:///{_scratch}/huey.sqlite3",
    "EMAIL_URL": "memorymail://",
    "SITE_URL": "http://testserver",
    "DEBUG": "false",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    "TIME_ZONE": "UTC",
    "LOG_FILE": "",
}
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
# A shell makes a background job ignore Ctrl-C, but some tests need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Django takes the tests for async code because of Playwright's event loop.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
