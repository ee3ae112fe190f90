import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connection

from housekeeping.database.others import Others
from tests import make
from tests.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def somebody(act):
    """Another connection, which does this again and again."""
    is_over = threading.Event()

    def work():
        try:
            while not is_over.is_set():
                act()
                time.sleep(0.01)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def quiet():
    """Nobody was seen for a while."""
    others = Others()
    others.sleep(0)
    others.gone_at = time.monotonic()
    return others


def sleep_in_the_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.2)")


def test_others_may_be_there_until_they_were_looked_for():
    assert Others().are_there()


def test_somebody_who_writes_is_seen():
    others = quiet()

    with somebody(make.user):
        others.sleep(0.3)

    assert others.are_there()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="On SQLite readers never wait")
def test_somebody_who_reads_is_seen():
    others = quiet()

    with somebody(sleep_in_the_database):
        others.sleep(0.3)

    assert others.are_there()


def test_a_purge_s_own_commits_are_no_sign_of_others():
    def is_alone():
        others = quiet()
        make.user()
        others.sleep(0.001)
        return not others.are_there()

    wait_until(is_alone)  # other tests write to other databases of the same server
