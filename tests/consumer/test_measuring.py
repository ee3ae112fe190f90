"""A real consumer measures the tables."""

import pytest

from housekeeping.models import Gauge, TableSize
from tests import make
from tests.services import wait_until

pytestmark = pytest.mark.parametrize("queue_url", ["sqlite"], indirect=True)


def test_a_consumer_measures_the_tables_a_few_seconds_after_its_start(processes):
    make.message()

    consumer = processes.consumer()

    wait_until(Gauge.objects.filter(name="tables").exists, what="the measurement")
    assert TableSize.objects.get(table="chat_chatmessage").rows == 1
    assert "Could not" not in consumer.output
