import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db.migrations.recorder import MigrationRecorder

from tests import services

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
