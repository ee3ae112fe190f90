import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db.migrations.recorder import MigrationRecorder

from tests import services
from tests.processes import Processes

READY = {"status": "ok", "database": "ok", "migrations": "ok", "queue": "ok"}


@pytest.mark.django_db
def test_a_process_that_is_up_says_so_without_asking_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_a_site_that_can_work_is_ready(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, READY)


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["housekeeping", "chat"])
def test_a_site_with_a_migration_to_apply_is_not_ready(app, client):
    MigrationRecorder.Migration.objects.filter(app=app).latest("id").delete()

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == READY | {"status": "unavailable", "migrations": "unavailable"}


@pytest.mark.django_db
def test_a_site_without_its_queue_is_up_but_not_ready(client, unreachable_queue):
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == READY | {"status": "unavailable", "queue": "unavailable"}
    assert client.get("/healthz").status_code == 200


@pytest.fixture
def asked_of_redis(transactional_db, administrator, redis_url, tmp_path):
    """What a site answers whose Redis is well, full, well again, and a replica."""
    processes = Processes(tmp_path, HUEY_URL=redis_url, SITE_URL="http://testserver")
    printed = processes.shell(ASK_OF_REDIS)
    processes.end()
    return [line for line in printed.splitlines() if not line.startswith("[")]


ASK_OF_REDIS = """
from django.test import Client
from huey.contrib.djhuey import HUEY
from rest_framework_simplejwt.tokens import RefreshToken
from chat.models import User
from housekeeping.models import Run
token = RefreshToken.for_user(User.objects.get()).access_token
client = Client(headers={"Authorization": f"Bearer {token}"})
def ask(state):
    ready = client.get("/readyz")
    asked = client.post("/api/admin/scheduler/trigger", {"task": "stats", "wait": 0}, "application/json")
    print(state, ready.status_code, ready.json()["queue"], asked.status_code, asked.json().get("code"),
          Run.objects.count())
    Run.objects.all().delete()
redis = HUEY.storage.conn
ask("well")
redis.config_set("maxmemory", 1)
ask("full")
redis.config_set("maxmemory", 0)
ask("well")
redis.replicaof("127.0.0.1", 1)
ask("replica")
redis.replicaof("no", "one")
"""


def test_a_site_whose_queue_takes_no_more_is_not_ready_and_opens_no_run(asked_of_redis):
    assert asked_of_redis == [
        "well 200 ok 202 None 1",
        "full 503 unavailable 503 queue_unreachable 0",
        "well 200 ok 202 None 1",
        "replica 503 unavailable 503 queue_unreachable 0",
    ]


def test_a_site_without_its_database_is_up_but_not_ready():
    # The settings are read as a process starts: this one's database refuses the connection.
    ask = """
import django, django.test
django.setup()
for path in ("/healthz", "/readyz"):
    answer = django.test.Client().get(path)
    print(answer.status_code, answer.json())
"""
    url = f"postgres://secret:word@127.0.0.1:{services.free_port()}/site"

    process = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "site_config.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    parts = {"status": "unavailable", "database": "unavailable", "migrations": "unavailable", "queue": "ok"}
    assert process.stdout.splitlines() == ["200 {'status': 'ok'}", f"503 {parts}"], process.stderr


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_an_answer_is_never_kept_by_a_cache(path, client):
    assert "no-store" in client.get(path)["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_may_ask_for_the_head_alone_and_change_nothing(path, client):
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405
