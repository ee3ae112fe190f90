"""The Huey that a project's settings name."""

import pytest
from huey.consumer_options import ConsumerConfig

from housekeeping.queue.huey import SqliteQueue


@pytest.fixture
def queue(tmp_path, settings):
    """A function that makes the queue as Huey's Django app does, with these options in ``HUEY``."""

    def make(**options):
        settings.HUEY = options
        immediate = options.get("immediate", settings.DEBUG)
        return SqliteQueue("test", filename=str(tmp_path / "huey.sqlite3"), immediate=immediate)

    return make


def test_a_task_waits_for_a_consumer_whatever_debug_is(queue, settings):
    settings.DEBUG = True
    slow = queue().task()(lambda: pytest.fail("run inside the request"))

    slow()

    assert len(slow.huey) == 1


def test_a_project_that_asks_for_an_immediate_queue_gets_one(queue):
    done = []

    queue(immediate=True).task()(lambda: done.append(1))()

    assert done == [1]


@pytest.mark.parametrize(("written", "used"), [({}, 0.5), ({"max_delay": 2.0}, 2.0)])
def test_an_idle_consumer_looks_often_unless_the_project_says_otherwise(queue, written, used):
    options = ConsumerConfig(**written)

    assert queue().create_consumer(**options.values).max_delay == used
