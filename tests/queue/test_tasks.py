"""The Huey tasks that carry runs out."""

import pytest
from django.db import connection

from housekeeping.queue import tasks
from tests import make
from tests.make import days


@pytest.mark.django_db(transaction=True)
def test_a_consumer_with_debug_on_does_not_remember_what_it_archives(settings):
    settings.DEBUG = True
    make.conversation(age=days(40))

    tasks.execute_run.call_local(str(make.run().pk), 0)

    remembered = [query["sql"] for query in connection.queries]
    assert remembered
    assert [sql for sql in remembered if "housekeeping_archive" in sql and "INSERT" in sql] == []
