"""A real consumer sends what waits in the outbox."""

import signal
import time

import pytest

from housekeeping.journal import outbox
from housekeeping.models import Consumer, Delivery
from tests import services
from tests.services import wait_until

pytestmark = pytest.mark.parametrize("queue_url", ["sqlite"], indirect=True)


def test_a_consumer_sends_what_waits_and_what_comes(processes):
    with services.mail_server() as server:
        processes.consumer(EMAIL_URL=f"smtp://127.0.0.1:{server.port}")
        wait_until(Consumer.objects.exists, what="the consumer's row")

        outbox.put("Hello", "Text", ["ada@example.com"])

        wait_until(lambda: Delivery.objects.exclude(sent_at=None).exists(), seconds=10, what="the mail")
        assert server.accepted == ["<ada@example.com>"]


def test_a_mail_server_that_drips_delays_no_stop(processes):
    with services.mail_server(drips="220") as server:
        consumer = processes.consumer(EMAIL_URL=f"smtp://127.0.0.1:{server.port}")
        wait_until(Consumer.objects.exists, what="the consumer's row")
        outbox.put("Hello", "Text", ["ada@example.com"])
        wait_until(lambda: Delivery.objects.filter(attempts=1).exists(), what="the attempt")
        began = time.monotonic()

        consumer.signal(signal.SIGTERM)

        assert consumer.wait() == 0
        assert time.monotonic() - began < 10
