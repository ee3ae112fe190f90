"""Consumers whose hosts disagree about the time, on one PostgreSQL database."""

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
for age, number in ((29, 200), (40, 20_000)):
    then = now - timedelta(days=age)
    made = Conversation.objects.bulk_create(Conversation(user=owner, created_at=then) for _ in range(number))
"""
ASK = """
from housekeeping import runs
from housekeeping.queue.tasks import send
runs.request("conversations", send=send)
"""


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


def test_hosts_that_disagree_take_no_live_run_and_delete_nothing_early(site):
    site.start(SHIFTS)
    due = "SELECT count(*) FROM housekeeping_schedulestate WHERE next_fire_at <= now()"
    wait_until(lambda: site.ask("SELECT count(*) FROM housekeeping_schedulestate") >= 3)

    site.processes.shell(ASK)

    ended = "SELECT count(*) FROM housekeeping_run WHERE task = 'conversations' AND finished_at IS NOT NULL"
    wait_until(lambda: site.ask(ended), seconds=150, what="the purge")
    purge = "FROM housekeeping_run WHERE task = 'conversations'"
    assert site.ask(f"SELECT status || ' ' || attempts || ' ' || losses {purge}") == "succeeded 1 0"
    assert site.ask("SELECT count(*) FROM chat_conversation") == 200
    assert site.ask("SELECT count(*) FROM housekeeping_run WHERE scheduled_for > requested_at") == 0
    assert site.ask(due) == 0
