"""What each worker does now, on every face."""

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from housekeeping.reading import workers
from tests import make
from tests.management.commands import output
from tests.services import wait_until
from tests.visitors import HTMX, text

pytestmark = pytest.mark.django_db(transaction=True)

API = "/api/admin/scheduler/consumers"
PAGE = "/scheduler-admin/consumers"


def running(task="conversations", **fields):
    started = timezone.now() - timedelta(seconds=10)
    fields = {
        "status": "running", "attempts": 1, "started_at": started, "claimed_at": started,
        "worker": "Worker-1", "batches": 3, "deleted": {task: 50}, "total": 200,
    } | fields  # fmt: skip
    return make.run(task, **fields)


def test_the_api_tells_what_each_worker_does(api):
    consumer = make.consumer(host="web1", pid=7)
    run = running(consumer=consumer)

    found = api.get(API).json()

    [one] = found["results"]
    assert (one["host"], one["pid"], one["alive"], one["workers"], one["idle"]) == ("web1", 7, True, 2, 1)
    [work] = one["doing"]
    assert work | {"rows_per_second": None, "since": None} == {
        "worker": "Worker-1",
        "run": str(run.pk),
        "task": "conversations",
        "since": None,
        "batch": 3,
        "done": 50,
        "total": 200,
        "rows_per_second": None,
        "lock_wait": None,
    }
    assert 3 < work["rows_per_second"] < 6
    assert work["since"]
    assert found["commands"] == []
    assert found["tells_lock_waits"] is (connection.vendor == "postgresql")


def test_the_work_of_two_consumers_and_of_a_command_is_kept_apart(api):
    first, second = make.consumer(host="web1"), make.consumer(host="web2")
    runs = [
        running("conversations", consumer=first),
        running("users", consumer=second, worker="Worker-2"),
        running("messages", worker="db1:99"),
    ]

    found = api.get(API).json()

    doing = {one["host"]: [work["run"] for work in one["doing"]] for one in found["results"]}
    assert doing == {"web1": [str(runs[0].pk)], "web2": [str(runs[1].pk)]}
    assert [(work["run"], work["worker"]) for work in found["commands"]] == [(str(runs[2].pk), "db1:99")]


def test_a_silent_consumer_is_listed_with_the_run_that_it_still_has(api):
    gone = make.consumer(age=timedelta(days=3))
    running(consumer=gone, worker=None, claimed_at=None)  # claimed by an earlier version

    [one] = api.get(API).json()["results"]

    assert (one["alive"], one["idle"], len(one["doing"])) == (False, 0, 1)
    assert one["doing"][0]["worker"] is None
    assert one["doing"][0]["since"]


def test_the_command_tells_the_same(api):
    make.consumer(host="web1", pid=7, age=timedelta(seconds=1))
    run = running(consumer=make.consumer(host="web2", pid=8), dry_run=True, deleted={}, total=0)

    printed = output("housekeeping_consumers")

    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert lines[:3] == [
        "consumer state workers",
        "web2:8 alive 1 of 2 busy (thread)",
        "web1:7 alive 0 of 2 busy (thread)",
    ]
    assert lines[4] == "worker of run task batch rows rows/s since"
    assert lines[5].startswith(f"Worker-1 web2:8 {run.pk} conversations ")
    assert ("can't tell" in printed) is (connection.vendor == "sqlite")
    from_api = api.get(API).json()
    assert json.loads(output("housekeeping_consumers", "--json")) == from_api


def test_without_a_consumer_the_command_says_so():
    assert "No consumer was alive in the last 24 hours." in output("housekeeping_consumers")


@contextmanager
def waiting_for_a_lock():
    """A connection that holds a lock, and the number of another one that waits for it."""
    holder, waiter = connection.copy(), connection.copy()
    try:
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            cursor.execute("SET application_name = 'a report'")
            cursor.execute("LOCK TABLE chat_conversation IN ACCESS EXCLUSIVE MODE")
        waiter.set_autocommit(False)  # behind PgBouncer, only a transaction stays at one process
        with waiter.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
        waiter.connection.pgconn.send_query(b"SELECT count(*) FROM chat_conversation")
        yield pid
    finally:
        holder.rollback()
        holder.close()
        waiter.close()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite can't tell who waits for a lock")
def test_a_wait_for_a_lock_is_told_with_the_one_who_holds_it(api, admin_client):
    with waiting_for_a_lock() as pid:
        running(consumer=make.consumer(), backend_pid=pid)
        wait_until(lambda: lock_wait(api), what="the wait for the lock")
        waited = lock_wait(api)

        page, printed = text(admin_client.get(PAGE)), output("housekeeping_consumers")

    assert [one["application"] for one in waited["holders"]] == ["a report"]
    assert waited["since"]
    assert "waits for a lock" in page
    assert "(a report)" in page
    assert "waits for a lock, since" in printed
    assert lock_wait(api) is None


def lock_wait(api):
    return api.get(API).json()["results"][0]["doing"][0]["lock_wait"]


def test_the_page_shows_the_consumers_and_refreshes_itself(admin_client):
    run = running(consumer=make.consumer(host="web1", pid=7))
    make.consumer(host="web2", stopped_at=timezone.now())

    page, fragment = admin_client.get(PAGE), admin_client.get(PAGE, headers=HTMX)

    for answer in (page, fragment):
        assert f'href="/scheduler-admin/runs/{run.pk}"' in answer.text
        assert "1 of 2 workers busy (thread)" in text(answer)
        assert "50 of 200" in text(answer)
    assert "<html" not in fragment.text
    assert ("can't tell who waits for a lock" in text(page)) is (connection.vendor == "sqlite")
    assert f'href="{PAGE}"' in admin_client.get("/scheduler-admin").text


def test_the_page_of_a_run_tells_who_carried_it_out(admin_client):
    of_consumer = running(consumer=make.consumer(host="web1", pid=7))
    of_command = running("users", worker="db1:99")

    assert "web1:7, Worker-1" in text(admin_client.get(f"/scheduler-admin/runs/{of_consumer.pk}"))
    assert "a command, db1:99" in text(admin_client.get(f"/scheduler-admin/runs/{of_command.pk}"))


def test_the_metrics_count_busy_workers_and_rows(client):
    running(consumer=make.consumer())
    running("users", worker="db1:99", deleted={})
    make.consumer(age=timedelta(days=3))

    page = client.get("/metrics").text

    assert "\nhousekeeping_workers 2.0\n" in page
    assert "\nhousekeeping_workers_busy 1.0\n" in page
    [speed] = [
        line for line in page.splitlines() if line.startswith('housekeeping_run_rows_per_second{task="conv')
    ]
    assert 3 < float(speed.split()[-1]) < 6
    assert 'housekeeping_run_rows_per_second{task="stats"} 0.0' in page


def test_nothing_runs_and_nothing_is_asked_about_locks(django_assert_num_queries):
    make.consumer()

    with django_assert_num_queries(2):
        assert [card.idle for card in workers.read(timezone.now()).consumers] == [2]
