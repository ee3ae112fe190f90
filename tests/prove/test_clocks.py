"""Hosts that disagree about the time, on one PostgreSQL database; clocks that jump, on SQLite."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest

from tests.clocks import Clock
from tests.processes import Processes
from tests.services import wait_until

SHIFTS = [timedelta(hours=-1), timedelta(seconds=90), timedelta(hours=1), timedelta(days=3)]
CONVERSATIONS = """
from datetime import timedelta
from django.utils import timezone
from chat.models import ChatMessage, Conversation, User
owner, now = User.objects.create_user("ada", "ada@example.com"), timezone.now()
for age, number in ((29, 200), (40, 60_000)):
    then = now - timedelta(days=age)
    made = Conversation.objects.bulk_create(Conversation(user=owner, created_at=then) for _ in range(number))
"""
ASK = """
from housekeeping.runs import control
from housekeeping.queue.tasks import send
control.request("conversations", send=send)
"""
WRITE = """
from chat import conversations
from chat.models import User
conversations.say(User.objects.create_user("bob", "bob@example.com"), "Hello")
User.objects.create_superuser("root", "root@example.com", "secret")
"""
PURGE = "FROM housekeeping_run WHERE task = 'conversations'"
ENDED = f"SELECT count(*) {PURGE} AND finished_at IS NOT NULL"
STATES, STATISTICS = "housekeeping_schedulestate", "statistics_generation"
OPENED = (
    f"SELECT count(*) FROM housekeeping_run WHERE schedule = '{STATISTICS}' AND scheduled_for IS NOT NULL"
)


class Site:
    """A site on PostgreSQL, with a consumer for each of ``shifts`` beside one whose clock is right."""

    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.processes = Processes(
            folder,
            DATABASE_URL=url,
            HUEY_URL=url,
            HOUSEKEEPING_HEARTBEAT_SECONDS="1",
            HOUSEKEEPING_PACE="gentle",
        )

    def ask(self, question):
        with psycopg.connect(self.url) as database:
            return database.execute(question).fetchone()[0]

    def do(self, statement):
        with psycopg.connect(self.url) as database:
            database.execute(statement)

    def start(self, shifts):
        self.processes.consumer()
        for shift in shifts:
            self.processes.consumer(**Clock(self.folder, shift).environment)


@pytest.fixture
def site(postgres_url, tmp_path):
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS clocks WITH (FORCE)")
        server.execute("CREATE DATABASE clocks")
    site = Site(postgres_url.rpartition("/")[0] + "/clocks", tmp_path)
    assert site.processes.start("migrate").wait(120) == 0
    site.processes.shell(CONVERSATIONS)
    yield site
    site.processes.end()


class Alone:
    """A site on SQLite, and a clock that its only host goes by."""

    def __init__(self, folder):
        path = str(folder).lstrip("/")
        self.database, self.clock = folder / "site.sqlite3", Clock(folder)
        self.processes = Processes(
            folder,
            DATABASE_URL=f"sqlite:////{path}/site.sqlite3",
            HUEY_URL=f"sqlite:////{path}/queue.sqlite3",
            HOUSEKEEPING_HEARTBEAT_SECONDS="1",
            HOUSEKEEPING_PACE="gentle",
            **self.clock.environment,
        )

    def ask(self, question):
        with closing(sqlite3.connect(self.database, timeout=30)) as database:
            return database.execute(question).fetchone()[0]


@pytest.fixture
def alone(tmp_path):
    alone = Alone(tmp_path)
    assert alone.processes.start("migrate").wait(120) == 0
    yield alone
    alone.processes.end()


def test_hosts_that_disagree_take_no_live_run_and_delete_nothing_early(site):
    site.start(SHIFTS)
    due = "SELECT count(*) FROM housekeeping_schedulestate WHERE next_fire_at <= now()"
    wait_until(lambda: site.ask("SELECT count(*) FROM housekeeping_schedulestate") >= 3)
    site.do(f"UPDATE {STATES} SET next_fire_at = now() + interval '5 seconds' WHERE id = '{STATISTICS}'")

    site.processes.shell(ASK)

    wait_until(lambda: site.ask(OPENED), what="the fire time")
    wait_until(lambda: site.ask(ENDED), seconds=150, what="the purge")
    assert site.ask(f"SELECT finished_at - started_at > interval '4 seconds' {PURGE}"), "more than a lease"
    assert site.ask(f"SELECT status || ' ' || attempts || ' ' || losses {PURGE}") == "succeeded 1 0"
    assert site.ask(OPENED) == 1
    assert site.ask("SELECT count(*) FROM chat_conversation") == 200
    assert site.ask("SELECT count(*) FROM housekeeping_run WHERE scheduled_for > requested_at") == 0
    assert site.ask(due) == 0


def test_what_a_host_of_a_wrong_clock_writes_is_stamped_by_the_database(site):
    ahead = Clock(site.folder, timedelta(days=3)).environment

    site.processes.shell(WRITE, **ahead)

    for stamp in ("created_at", "last_message_at"):
        assert site.ask(f"SELECT count(*) FROM chat_conversation WHERE {stamp} > now()") == 0
    assert site.ask("SELECT count(*) FROM chat_chatmessage WHERE created_at > now()") == 0
    assert (
        site.ask("SELECT count(*) FROM chat_user WHERE date_joined > now() OR email_verified_at > now()") == 0
    )


def test_a_run_during_which_the_clock_goes_back_ends_and_deletes_once(alone):
    alone.processes.shell(CONVERSATIONS)
    alone.processes.consumer()
    alone.processes.shell(ASK)
    wait_until(lambda: alone.ask(f"SELECT count(*) {PURGE} AND deleted > 0"), what="the first batch")
    assert not alone.ask(ENDED)

    alone.clock.set(timedelta(minutes=-10))

    wait_until(lambda: alone.ask(ENDED), seconds=60, what="the purge")
    facts = alone.ask(f"SELECT status || ' ' || attempts || ' ' || losses || ' ' || deleted {PURGE}")
    assert facts == 'succeeded 1 0 {"conversations": 60000}'
    assert alone.ask("SELECT count(*) FROM chat_conversation") == 200


def test_schedules_fire_again_after_a_clock_was_three_years_ahead_for_a_moment(alone):
    alone.processes.command("housekeeping_schedules", "change", STATISTICS, "* * * * *")
    alone.processes.consumer()
    far = f"SELECT count(*) FROM {STATES} WHERE next_fire_at > datetime('now', '+900 days')"
    alone.clock.set(timedelta(days=3 * 365))
    wait_until(lambda: alone.ask(far) >= 3, what="fire times from the future")

    alone.clock.set(timedelta())

    wait_until(lambda: alone.ask(far) == 0, what="right fire times")
    wait_until(lambda: alone.ask(f"{OPENED} AND scheduled_for < datetime('now')"), seconds=90, what="a run")
