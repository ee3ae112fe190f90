"""PgBouncer in transaction mode between the site and PostgreSQL, for the rows and for the queue.

Each transaction may have another connection of the server's than the one before it. The whole suite
runs that way in tests/prove/test_pgbouncer.py.
"""

import json
from contextlib import ExitStack
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import services
from tests.processes import Processes
from tests.services import wait_until

DATABASE = "pooled"


@pytest.fixture
def pooled(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as client:
        client.execute(f"DROP DATABASE IF EXISTS {DATABASE} (FORCE)")
        client.execute(f"CREATE DATABASE {DATABASE}")
    with services.pgbouncer(urlsplit(postgres_url)._replace(path=f"/{DATABASE}").geturl()) as url:
        yield url


@pytest.fixture
def processes(pooled, tmp_path):
    running = Processes(
        tmp_path,
        DATABASE_URL=pooled,
        HUEY_URL=pooled,
        BEHIND_PGBOUNCER="true",
        HOUSEKEEPING_HEARTBEAT_SECONDS="1",
        SITE_URL="http://testserver",
    )
    migrate = running.start("migrate")
    assert migrate.wait(120) == 0, migrate.output
    yield running
    running.end()


WORLD = """
from datetime import timedelta
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.tokens import RefreshToken
from chat.models import ChatMessage, Conversation, User
from housekeeping.models import Run, ScheduleState
def old_conversations(number):
    then, owner = timezone.now() - timedelta(days=40), User.objects.first()
    made = [Conversation(user=owner, created_at=then) for _ in range(number)]
    Conversation.objects.bulk_create(made)
    ChatMessage.objects.bulk_create(ChatMessage(conversation=one, role="user", content="Hi") for one in made)
"""
FLOWS = """
import json, time
ada = User.objects.create_superuser("ada", "ada@example.com")
client = Client(headers={"Authorization": f"Bearer {RefreshToken.for_user(ada).access_token}"})
def post(path, **body):
    answer = client.post(f"/api/admin/scheduler/{path}", body | {"wait": 30}, "application/json").json()
    return answer.get("result", answer)
def run_of(path, **body):
    return client.post(f"/api/admin/scheduler/{path}", body | {"wait": 30}, "application/json").json()["run"]
def schedule(name):
    ScheduleState.objects.filter(id=name).update(next_fire_at=timezone.now())
    while not (run := Run.objects.filter(schedule=name, status="succeeded").first()):
        time.sleep(0.1)
    return run.result
old_conversations(600)
told = {"dry run": post("trigger", task="conversations", dry_run=True)}
purged = run_of("trigger", task="conversations")
told["purge"] = purged["result"]
told["left"] = [Conversation.objects.count(), ChatMessage.objects.count()]
told["undo"] = run_of(f"runs/{purged['id']}/undo")["result"]["restored"]
told["back"] = [Conversation.objects.count(), ChatMessage.objects.count()]
held = Run.objects.create(task="users", cause="manual", status="held", requested_at=timezone.now())
told["cancel"] = client.post(f"/api/admin/scheduler/runs/{held.pk}/cancel").json()["run"]["status"]
told["schedule"] = sorted(schedule("statistics_generation")["stats"])
told["statistics"] = client.get("/api/admin/scheduler/statistics").json()["total_users"]
pages = ("/readyz", "/scheduler-admin", "/scheduler-admin/runs", f"/scheduler-admin/runs/{purged['id']}/log")
client.force_login(ada)
told["pages"] = [client.get(page).status_code for page in pages]
print("told", json.dumps(told))
"""


def test_all_that_is_done_through_pgbouncer_comes_out_as_without_it(processes, pooled):
    consumer = processes.consumer()

    printed = processes.shell(WORLD + FLOWS)

    [line] = [line for line in printed.splitlines() if line.startswith("told ")]
    assert json.loads(line.removeprefix("told ")) == {
        "dry run": {"deleted_conversations": 600},
        "purge": {"deleted_conversations": 600},
        "left": [0, 0],
        "undo": {"chat.Conversation": 600, "chat.ChatMessage": 600},
        "back": [600, 600],
        "cancel": "cancelled",
        "schedule": NUMBERS,
        "statistics": 1,
        "pages": [200] * 4,
    }
    assert "Traceback" not in consumer.output
    assert "[ERROR]" not in consumer.output
    consumer.kill()
    assert left_behind(pooled) == [NOTHING] * services.PgBouncer.POOL_SIZE


def test_a_run_whose_consumer_is_killed_behind_pgbouncer_is_finished_by_the_next(processes, pooled):
    killed = processes.consumer()
    processes.shell(WORLD + KILLED)
    wait_until(lambda: ask(pooled, BEGUN) == (1,), what="the first batch")

    killed.kill()

    processes.consumer()
    wait_until(lambda: ask(pooled, ENDED) == (1,), seconds=90, what="the end of the run")
    assert ask(pooled, "SELECT count(*) FROM chat_conversation") == (0,)
    assert ask(pooled, "SELECT result FROM housekeeping_run") == ({"deleted_conversations": 3_000},)


NUMBERS = sorted(
    [
        "total_users",
        "total_conversations",
        "total_messages",
        "recent_conversations_24h",
        "recent_messages_24h",
    ]
)
KILLED = """
User.objects.create_user("ada", "ada@example.com")
old_conversations(3_000)
Run.objects.create(task="conversations", cause="manual", status="queued", requested_at=timezone.now())
"""
BEGUN = "SELECT count(*) FROM housekeeping_run WHERE status = 'running' AND deleted != '{}'"
ENDED = "SELECT count(*) FROM housekeeping_run WHERE status = 'succeeded' AND losses = 1"
# What a session may leave to the next one that has its connection. PgBouncer itself looks after
# the zone, the encoding and the like.
LEFT = """
SELECT (SELECT count(*) FROM pg_prepared_statements),
       (SELECT count(*) FROM pg_listening_channels()),
       (SELECT count(*) FROM pg_cursors WHERE name != ''),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
       (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
       current_setting('transaction_read_only'),  -- of a dry run; each transaction sets it anew
       (SELECT array_agg(name::text) FROM pg_settings WHERE source = 'session' AND lower(name) NOT IN
           ('timezone', 'client_encoding', 'datestyle', 'application_name', 'standard_conforming_strings',
            'transaction_read_only'))
"""
NOTHING = (0, 0, 0, 0, 0, "off", None)


def ask(url, question):
    with psycopg.connect(url, prepare_threshold=None) as client:
        return client.execute(question).fetchone()


def left_behind(url):
    """What stands on each connection of the pool: so many transactions at once have them all."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(psycopg.connect(url, prepare_threshold=None))
            for _ in range(services.PgBouncer.POOL_SIZE)
        ]
        return [client.execute(LEFT).fetchone() for client in clients]
