"""A migration that changes several tables, beside an old version that uses them in another order."""

import psycopg
import pytest

from tests.processes import Processes
from tests.services import wait_until

# The last migration before, the migration, and the tables that it changes, in its order.
MIGRATIONS = {
    "archives": ("housekeeping", "0011", "0012", ["housekeeping_archive", "housekeeping_run"]),
    "defaults": ("housekeeping", "0015", "0016", ["housekeeping_hold", "housekeeping_schedulestate"]),
    "names": ("housekeeping", "0018", "0019", ["housekeeping_act", "housekeeping_hold", "housekeeping_run"]),
    "the chat": ("chat", "0003", "0004", ["chat_user", "chat_conversation", "chat_chatmessage"]),
}  # fmt: skip
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def database(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS migrated WITH (FORCE)")
        server.execute("CREATE DATABASE migrated")
    return postgres_url.removesuffix("postgres") + "migrated"


@pytest.fixture
def processes(database, tmp_path):
    running = Processes(tmp_path, DATABASE_URL=database, HUEY_URL=f"sqlite:///{tmp_path}/huey.sqlite3")
    yield running
    running.end()


@pytest.mark.parametrize("name", MIGRATIONS)
def test_it_waits_for_no_table_while_it_holds_another(name, database, processes):
    app, before, migration, tables = MIGRATIONS[name]
    processes.command("migrate", app, before)
    *others, last = tables

    with psycopg.connect(database) as old, psycopg.connect(database, autocommit=True) as watcher:
        old.execute(f"SELECT 1 FROM {last}")
        migrating = processes.start("migrate", app, migration)
        wait_until(lambda: watcher.execute(WAITS).fetchone(), what="a migration that waits")
        for table in others:
            old.execute(f"SELECT 1 FROM {table}")
        old.commit()
        assert migrating.wait(60) == 0, migrating.output
