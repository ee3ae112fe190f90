"""The newest release is upgraded while it runs, and rolled back again: docs/howto/upgrade.md, carried out."""

import psycopg
import pytest

from tests.processes import Installed
from tests.prove import releases
from tests.prove.versions import ACCOUNTS, Version


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return releases.install(releases.newest(), tmp_path_factory.mktemp("release"))


@pytest.fixture(params=["sqlite", "postgres and redis"])
def environment(request, tmp_path):
    """Where both versions have their database and their queue."""
    settings = {
        "DJANGO_SETTINGS_MODULE": "site_config.settings",  # the tests' own are of the present code alone
        "SITE_URL": "http://127.0.0.1",
        "HOUSEKEEPING_HEARTBEAT_SECONDS": "1",
        "HOUSEKEEPING_AUTOSTART": "false",
    }
    if request.param == "sqlite":
        files = {"DATABASE_URL": tmp_path / "db.sqlite3", "HUEY_URL": tmp_path / "huey.sqlite3"}
        return settings | {name: f"sqlite:///{path}" for name, path in files.items()}
    server = request.getfixturevalue("postgres_url")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS upgraded")
        connection.execute("CREATE DATABASE upgraded")
    database = server.removesuffix("postgres") + "upgraded"
    return settings | {"DATABASE_URL": database, "HUEY_URL": request.getfixturevalue("redis_url")}


@pytest.fixture
def old(release, environment, tmp_path):
    """The newest release, running, with work that is under way."""
    version = Version(release, tmp_path / "old", environment)
    version.processes.command("migrate")
    version.processes.shell(ACCOUNTS)
    version.start()
    yield version
    version.processes.end()


@pytest.fixture
def new(environment, tmp_path):
    """The present code; not started yet."""
    version = Version(Installed(), tmp_path / "new", environment)
    yield version
    version.processes.end()


def changed(before, after):
    """The rows that are gone, or have lost or changed a column that they had."""
    return [key for key, row in before.items() if not _kept(key, row).items() <= after.get(key, {}).items()]


def _kept(key, row):
    """The columns that no migration changes on purpose. Plans lose the words of the rows they name."""
    return {name: value for name, value in row.items() if (key[0], name) != ("housekeeping_run", "plan")}


def test_a_running_site_is_upgraded_and_nothing_stops(old, new):
    left = old.leave_behind()
    before = old.database.rows()

    new.processes.command("migrate")

    assert changed(before, old.database.rows()) == []
    old.trigger("stats")
    old.open_a_due_schedule()

    new.start()  # beside the old
    new.shows_everything()
    old.shows_everything()
    for asks, stays, leaves in ((new, old, new), (old, new, old)):
        leaves.stop_consumer()
        assert asks.trigger("stats")["status"] == "succeeded"
        stays.open_a_due_schedule()
        if leaves is new:
            new.consumer = new.processes.consumer()
    old.site.kill()

    new.finish(left)
    assert (old.complaints(), new.complaints()) == ([], [])


def test_the_old_version_goes_on_where_the_new_one_is_rolled_back(old, new):
    old.stop()
    new.processes.command("migrate")
    new.start()
    left = new.leave_behind()
    new.open_a_due_schedule()
    new.stop()

    old.start()

    old.shows_everything()
    old.open_a_due_schedule()
    old.finish(left)
    assert (old.complaints(), new.complaints()) == ([], [])
