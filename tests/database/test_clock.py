from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from housekeeping.database import clock
from housekeeping.models import Consumer
from tests import make
from tests.services import wait_until

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def raw(column):
    """The column's value as a text, as SQLite holds it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT CAST({column} AS text) FROM housekeeping_consumer")
        return cursor.fetchone()[0]


def test_the_time_moves_on_within_a_transaction():
    with transaction.atomic():
        begun = clock.now()

        wait_until(lambda: clock.now() > begun)
        written = make.consumer(started_at=clock.Now())
        written.refresh_from_db()

    assert written.started_at > begun


def test_a_statement_can_compare_and_add_to_the_time():
    make.consumer()

    Consumer.objects.update(last_heartbeat_at=clock.Now() + HOUR)

    assert Consumer.objects.filter(last_heartbeat_at__gt=clock.Now()).exists()
    assert not Consumer.objects.filter(last_heartbeat_at__gt=clock.Now() + 2 * HOUR).exists()
    assert abs(Consumer.objects.get().last_heartbeat_at - HOUR - timezone.now()) < timedelta(seconds=30)


def test_a_moment_that_sqlite_writes_reads_like_one_that_python_writes():
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL compares moments as moments")
    make.consumer(started_at=clock.Now())

    text = raw("started_at")

    assert str(datetime.fromisoformat(text)) == text


def test_pages_read_the_time_without_a_query_each(django_assert_max_num_queries):
    clock.now()

    with django_assert_max_num_queries(0):
        times = [clock.roughly() for _ in range(100)]

    assert times == sorted(times)
    assert abs(times[-1] - clock.now()) < timedelta(seconds=1)


def test_hosts_that_agree_are_not_apart():
    clock.now()

    assert abs(clock.offset()) < timedelta(seconds=1)
