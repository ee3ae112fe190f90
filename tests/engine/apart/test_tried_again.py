"""Batches of an undo into another database that conflict, and are tried again."""

import pytest
from django.db import OperationalError, connection

from housekeeping.models import Archive, Hold, Received, Run
from housekeeping.runs import control
from tests.engine.apart.test_apart import nothing_open
from tests.engine.apart.test_bookkeeping import killed_between_the_commits
from tests.make import ago
from tests.zoo.models import Park
from tests.zoo.tasks import carry_out, request

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("purged_apart")]


class Deadlock(Exception):
    sqlstate = "40P01"


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_row_that_only_the_failed_try_had_put_back_stays_archived(is_killed):
    park = Park.objects.create(opened_at=ago(days=900))
    undone = control.undo(carry_out(request("parks")), send=lambda run: None)
    done = []

    def conflict(execute, sql, *facts):
        if sql.startswith("INSERT") and Received._meta.db_table in sql and not done:
            done.append("the batch has failed at its end")
            raise OperationalError("deadlock detected") from Deadlock()
        if len(done) == 1 and not connection.in_atomic_block:
            done.append("between the tries, somebody takes the key")
            Park.objects.create(pk=park.pk, name="another")
        return execute(sql, *facts)

    with connection.execute_wrapper(conflict):
        undone = killed_between_the_commits(undone) if is_killed else carry_out(undone)
    undone = carry_out(Run.objects.get(pk=undone.pk)) if is_killed else undone

    assert len(done) == 2
    assert undone.result["restored"] == {"zoo.Park": 0}
    assert undone.result["not_restored"] == {"zoo.Park: its key is taken by another row": 1}
    assert Archive.objects.get().rows == 1
    assert Park.objects.get().name == "another"
    assert not Hold.objects.exists()
    assert nothing_open()
