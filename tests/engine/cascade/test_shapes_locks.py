"""A purge of shapes beside transactions that hold rows which it wants (PostgreSQL)."""

import threading
import time
import uuid

import pytest
from django.db import IntegrityError, connection, connections, transaction

from housekeeping.engine import locks
from housekeeping.engine.purge import purge_batches
from tests.engine.test_locks import elsewhere, lock
from tests.shapes.models import Badge, Comment, Device, Like, Locker, Part, Place, Restaurant, Tag, Team
from tests.shapes.tasks import POLICIES
from tests.shapes.worlds import AS_OF, MONTH, OLD

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's writers take turns"),
]


def batches(task, **options):
    return list(purge_batches(POLICIES[task], cutoff=AS_OF - MONTH, **options))


def comments():
    roots = [Comment.objects.create(id=number, written_at=OLD) for number in (1, 2)]
    below = Comment.objects.create(id=4, parent=Comment.objects.create(id=3, parent=roots[0]))
    return "comments", roots, [below, Like.objects.create(comment=below)]


def devices():
    roots = [Device.objects.create(id=uuid.UUID(int=number), made_at=OLD) for number in (1, 2)]
    part = Part.objects.create(device=roots[0])
    return "devices", roots, [part, Tag.objects.create(of=part)]


def restaurants():
    roots = [Restaurant.objects.create(opened_at=OLD) for _ in range(2)]
    return "restaurants", roots, [Place.objects.get(pk=roots[0].pk)]


def badges():
    teams = [Team.objects.create(name=name, founded_at=OLD) for name in "ab"]
    roots = [Badge.objects.create(code=team.name, team=team) for team in teams]
    return "badges", roots, [Locker.objects.create(badge=roots[0])]


@pytest.mark.parametrize("make", [comments, devices, restaurants, badges])
def test_a_locked_row_below_spares_its_row_and_no_other(make):
    task, roots, below = make()
    for held in below:
        began = time.monotonic()
        with elsewhere() as cursor:
            lock(cursor, held)
            with transaction.atomic():
                found = locks.above_locked_rows(type(roots[0]), [row.pk for row in roots])
        assert found == {roots[0].pk}
        assert time.monotonic() - began < 5

    with elsewhere() as cursor:
        lock(cursor, below[-1])
        [batch] = batches(task)

    assert (batch.keys, batch.in_use) == ([roots[1].pk], 1)
    assert [one.keys for one in batches(task)] == [[roots[0].pk]]


def test_what_arrives_deep_in_a_tree_waits_and_does_not_fail_the_batch():
    _, _, [deep, _] = comments()
    refused = []

    def reply():
        try:
            Comment.objects.create(parent=deep)
        except IntegrityError as error:
            refused.append(error)
        connections.close_all()

    writer = threading.Thread(target=reply)

    def meanwhile(execute, sql, params, many, context):
        if sql.startswith('DELETE FROM "shapes_comment"') and threading.current_thread() is not writer:
            writer.start()
            writer.join(0.5)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        [batch] = batches("comments")
    writer.join()

    assert len(refused) == 1
    assert (batch.rows["shapes.Comment"], Comment.objects.count()) == (4, 0)
