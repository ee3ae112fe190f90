"""A mail ends in time, whatever the mail server does."""

import threading
import time
from smtplib import SMTPRecipientsRefused

import pytest
from django.core.mail import EmailMessage

from housekeeping.journal import limits
from housekeeping.journal.smtp import EmailBackend
from tests import services
from tests.services import wait_until


class Hasty(EmailBackend):
    seconds_per_mail = 0.6


def send(server):
    backend = Hasty(host="127.0.0.1", port=server.port, timeout=10)
    return backend.send_messages([EmailMessage("Hello", "Are you there?", to=["ada@example.com"])])


def no_mail_is_under_way():
    return all(thread.name != "mail" for thread in threading.enumerate())


def test_a_mail_is_sent_as_ever():
    with services.mail_server() as server:
        assert send(server) == 1

        assert server.accepted == ["<ada@example.com>"]


@pytest.mark.parametrize("drips", ["220", "250 well", "354", "250 taken"])
def test_a_server_that_drips_is_left_in_time(drips):
    with services.mail_server(drips=drips) as server:
        began = time.monotonic()

        with pytest.raises(TimeoutError):
            send(server)

        assert time.monotonic() - began < 3
    wait_until(no_mail_is_under_way)


def test_a_server_that_holds_several_mails_is_not_given_more():
    with services.mail_server(drips="220") as server:
        for _ in range(limits.MOST_STUCK):
            with pytest.raises(TimeoutError):
                send(server)
        began = time.monotonic()

        with pytest.raises(TimeoutError, match="still holds"):
            send(server)

        assert time.monotonic() - began < 0.5
    wait_until(no_mail_is_under_way)


def test_what_the_server_refuses_is_raised_as_it_was():
    with services.mail_server(refuse="ada") as server, pytest.raises(SMTPRecipientsRefused):
        send(server)
