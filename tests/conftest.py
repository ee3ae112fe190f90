import os
import threading
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.utils import translation
from huey.contrib.djhuey import HUEY
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle
from rest_framework_simplejwt.tokens import RefreshToken

from housekeeping.declared import registry
from housekeeping.journal import outbox
from housekeeping.reading.runs import half_hours
from tests import flushing, make, services
from tests.other_database import (  # noqa: F401 (fixtures)
    _database_of_another_kind,
    _other_database,
    any_other,
    other,
    other_sqlite,
    zoo_apart,
)
from tests.visitors import account

# Tests that start processes with their own databases, or need no database, run on SQLite only. So do those
# that `make prove` runs on PostgreSQL: rooms and long files by tests/prove/test_pgbouncer.py, and promises.
ON_SQLITE_ALONE = [
    "api",
    "app",
    "browser",
    "chat",
    "consumer",
    "dashboard",
    "declared",
    "docs",
    "erasure",
    "faces",
    "hosts",
    "journal",
    "management",
    "monitoring",
    "reading",
    "recipes",
    "site_config",
    "steering",
    *Path(__file__).parent.glob("test_*.py"),
    *Path(__file__).parent.glob("engine/**/*promises.py"),
    "engine/due/test_retention.py",
    "engine/test_verification.py",
]
if os.environ.get("TEST_DATABASE") == "postgres":
    collect_ignore = ON_SQLITE_ALONE

# These start processes and mostly wait for them. The longest come first.
SLOW = ["consumer", "hosts", "browser", "site_config", "management", "faces"]


def pytest_collection_modifyitems(items):
    """A slow file and another in turn: some workers wait while the others have the processors."""
    files = list(dict.fromkeys(item.path for item in items))
    slow = [path for room in SLOW for path in files if path.parent.name == room]
    others = [path for path in files if path not in slow]
    turns = {path: (turn, of) for of, paths in enumerate([slow, others]) for turn, path in enumerate(paths)}
    items.sort(key=lambda item: turns[item.path])


def pytest_configure(config):
    if os.environ.get("CI"):
        config.pluginmanager.register(AtOnce(config))


class AtOnce:
    """Prints each failure when it happens: the summary is lost if CI ends the tests for taking too long."""

    def __init__(self, config):
        self.config = config

    def pytest_runtest_logreport(self, report):
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter:  # a worker of xdist has none
            reporter.write_line(f"\n{report.nodeid} failed in its {report.when}, {report.duration:.0f} s:")
            reporter.write_line(report.longreprtext)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown():
    """A thread that sends mails must end before the test loses its database."""
    outbox.settle()
    with flushing.quickly():
        return (yield)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        flushing.keep()


# These machines are noisy, so the duration of an example means nothing.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(autouse=True, scope="session")
def _unthrottled():
    """Switch throttles off, since tests send many requests. The tests of throttles set their own rates."""
    for scope in SimpleRateThrottle.THROTTLE_RATES:
        SimpleRateThrottle.THROTTLE_RATES[scope] = None


@pytest.fixture
def rate(monkeypatch, settings, db):
    """A function that sets the rate of a throttle, of the site or of the app ("trigger"), during the test."""
    cache.clear()

    def set_rate(scope, value):
        if scope == "trigger":
            settings.HOUSEKEEPING_TRIGGER_RATE = value
        else:
            monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, value)

    yield set_rate
    cache.clear()


def throttled(answer):
    """Whether the request was refused for now, with the seconds to wait."""
    if answer.status_code != 429:
        return False
    assert answer.json()["code"] == "throttled"
    assert 0 < int(answer["Retry-After"]) <= 60
    return True


# The tests in these folders send messages to the queue and look at them.
SENDERS = {"api", "chat", "dashboard", "docs", "erasure", "faces", "management", "monitoring"}


def _room(request):
    """The folder of tests that the test belongs to."""
    return request.path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture(autouse=True)
def _empty_queue(request):
    if _room(request) in SENDERS:
        HUEY.flush()


@pytest.fixture(autouse=True)
def _no_glance(request, monkeypatch):
    """A page waits a moment for a run to end. Without a consumer or the fixture ``worker``, none does."""
    if _room(request) in SENDERS:
        monkeypatch.setattr("housekeeping.dashboard.acting.GLANCE", 0)


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch):
    """Each test has a history of its own, and the process must not mix them up."""
    monkeypatch.setattr(half_hours, "_final", half_hours.NOTHING)


@pytest.fixture(autouse=True)
def _in_the_default_language():
    """Reset the language, because a request leaves its own active in the thread."""
    translation.deactivate()


@pytest.fixture(scope="session")
def redis_url():
    with services.redis() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url():
    with services.postgres() as url:
        if not settings.BEHIND_PGBOUNCER:
            yield url
            return
        with services.pgbouncer(url) as pooled:
            yield pooled


@pytest.fixture
def add_task():
    """A function that declares a task until the test ends, and returns it."""
    added = []

    def add(name, function, **options):
        registry.task(name, **options)(function)
        added.append(name)
        return registry.TASKS[name]

    yield add
    for name in added:
        del registry.TASKS[name]


@pytest.fixture
def administrator(db):
    return make.administrator(username="ada")


@pytest.fixture
def api(administrator):
    """A client of the JSON API with the token of an administrator."""
    return with_token(administrator)


def with_token(user):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(user).access_token}")
    return client


@pytest.fixture
def dashboard(client, administrator):
    """A browser in which an administrator has signed in."""
    client.force_login(administrator)
    return client


@pytest.fixture
def viewer(db):
    return account("view_run")


@pytest.fixture
def operator(db):
    return account("view_run", "operate")


@pytest.fixture
def worker(transactional_db, monkeypatch):
    """A thread that executes queued runs, like a worker of run_huey."""
    # A busy machine may need longer for a run than a page waits.
    monkeypatch.setattr("housekeeping.dashboard.acting.GLANCE", 30.0)
    done = threading.Event()

    def work():
        while not done.is_set():
            task = HUEY.dequeue()
            if task:
                HUEY.execute(task)
            else:
                done.wait(0.01)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    done.set()
    thread.join()
    outbox.settle()  # what ends a run sends messages, also after the test has seen the run's end


@pytest.fixture
def unreachable_queue():
    """The queue's file can't be opened, because a folder has its name."""
    HUEY.storage.close()
    file = Path(HUEY.storage.filename)
    aside = file.rename(f"{file}.aside")
    file.mkdir()
    yield
    file.rmdir()
    aside.rename(file)


@pytest.fixture
def protected_conversation(transactional_db):
    """An old conversation that a row of a table without a model refers to."""
    conversation = make.conversation(age=make.days(31))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE evidence (conversation_id bigint REFERENCES chat_conversation (id))")
        cursor.execute("INSERT INTO evidence VALUES (%s)", [conversation.pk])
    yield conversation
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE evidence")


@pytest.fixture
def declare():
    """A decorator that declares a function as a task until the test ends. It gives the task's name."""
    names = []

    def add(function):
        registry.task(function.__name__)(function)
        names.append(function.__name__)
        return function.__name__

    yield add
    for name in names:
        del registry.TASKS[name]


@pytest.fixture
def failing_task(declare):
    @declare
    def reckon():
        """Reckon what can't be reckoned."""
        return {"quotient": 1 / 0}

    return reckon


def pytest_terminal_summary(terminalreporter):
    reasons = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])}
    parts = sorted(reason.split()[1] for reason in reasons if reason.endswith(services.MISSING))
    if parts:
        terminalreporter.write_line(f"Skipped because this machine lacks: {', '.join(parts)}")
