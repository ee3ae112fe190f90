"""Mails that nobody waits for: none is lost, none is sent by two, none is tried for ever."""

import threading
import time

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection, transaction
from rest_framework.test import APIClient

from housekeeping.journal import outbox
from housekeeping.journal.alerting import messages
from housekeeping.models import Delivery
from tests import make, services
from tests.receivers import receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def consumer():
    """One is up, so that nothing is sent before a test does what it does."""
    yield make.consumer()
    outbox.settle()


@pytest.fixture
def smtp(settings):
    """Mail goes by SMTP to this port of the machine."""

    def to(port):
        settings.EMAIL_BACKEND = "housekeeping.journal.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port

    return to


def put(address="ada@example.com", text="A secret link"):
    outbox.put("Hello", text, [address], kind="alert")
    return Delivery.objects.latest("pk")


def due_again(delivery):
    Delivery.objects.filter(pk=delivery.pk).update(not_before=make.ago(seconds=1))


def test_a_mail_is_kept_and_sent_and_what_it_says_is_kept_no_longer():
    delivery = put()
    assert (delivery.payload["text"], mail.outbox) == ("A secret link", [])

    assert outbox.deliver() == 1

    delivery.refresh_from_db()
    [sent] = mail.outbox
    assert (sent.subject, sent.body, sent.to) == ("Hello", "A secret link", ["ada@example.com"])
    assert delivery.sent_at
    assert delivery.payload is None
    assert outbox.deliver() == 0


@pytest.mark.parametrize("payload", [None, [], {}, {"subject": "Hello"}], ids=str)
def test_what_is_no_mail_is_given_up_and_holds_up_no_other(payload, caplog):
    delivery = put()
    Delivery.objects.filter(pk=delivery.pk).update(payload=payload)
    put("bea@example.com")

    assert outbox.deliver() == 1

    delivery.refresh_from_db()
    assert delivery.failed_at
    assert mail.outbox[0].to == ["bea@example.com"]
    assert "is given up (ValueError)" in caplog.text


def test_a_mail_that_is_deleted_as_it_is_claimed_holds_up_no_other():
    gone = put()
    put("bea@example.com")

    def delete_first(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if sql.startswith("UPDATE"):
            Delivery.objects.filter(pk=gone.pk).delete()
        return answer

    with connection.execute_wrapper(delete_first):
        assert outbox.deliver() == 1

    assert mail.outbox[0].to == ["bea@example.com"]


def test_a_mail_of_what_was_rolled_back_is_not_sent():
    with transaction.atomic():
        put()
        transaction.set_rollback(True)

    assert outbox.deliver() == 0


def test_as_a_mail_backend_it_keeps_one_mail_for_each_recipient():
    message = EmailMessage("Hello", "Text", "us@example.com", ["ada@example.com"], bcc=["eve@example.com"])

    assert outbox.Backend().send_messages([message]) == 1

    outbox.deliver()
    assert [(sent.to, sent.from_email) for sent in mail.outbox] == [
        (["ada@example.com"], "us@example.com"),
        (["eve@example.com"], "us@example.com"),
    ]


def test_a_server_that_is_down_costs_no_mail(smtp, caplog):
    delivery = put()
    smtp(services.free_port())
    assert outbox.deliver() == 0
    assert outbox.deliver() == 0  # not due yet
    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.error) == (1, "ConnectionRefusedError")
    assert "ada@example.com" not in caplog.text

    with services.mail_server() as server:
        smtp(server.port)
        due_again(delivery)
        assert outbox.deliver() == 1

        assert server.accepted == ["<ada@example.com>"]


def test_the_pauses_grow_to_an_hour(smtp):
    smtp(services.free_port())
    delivery, pauses = put(), []

    for _ in range(9):
        began = make.ago()
        outbox.deliver()
        delivery.refresh_from_db()
        pauses.append(round((delivery.not_before - began).total_seconds() / 30))
        due_again(delivery)

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 120, 120]


@pytest.mark.parametrize("text", ["refused by the server", "a day old"])
def test_what_can_not_be_sent_is_given_up_and_forgotten(text, smtp, caplog):
    delivery = put("bot@example.com")
    with services.mail_server(refuse="bot" if text.startswith("refused") else "") as server:
        smtp(server.port)
        if text == "a day old":
            smtp(services.free_port())
            Delivery.objects.update(created_at=make.ago(hours=25))

        outbox.deliver()

    delivery.refresh_from_db()
    assert delivery.failed_at
    assert delivery.payload is None
    assert "is given up" in caplog.text
    assert outbox.deliver() == 0


def test_after_three_faults_of_the_server_the_rest_waits(smtp):
    smtp(services.free_port())
    for _ in range(5):
        put()

    outbox.deliver()

    assert Delivery.objects.filter(attempts=1).count() == 3


def test_several_senders_send_each_mail_once(smtp):
    for number in range(20):
        put(f"user{number}@example.com")

    def deliver():
        outbox.deliver()
        connection.close()

    with services.mail_server() as server:
        smtp(server.port)
        senders = [threading.Thread(target=deliver) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

        assert sorted(server.accepted) == sorted(f"<user{number}@example.com>" for number in range(20))


def test_a_mail_whose_sender_died_is_sent_once_its_lease_has_run_out():
    delivery = put()
    Delivery.objects.update(attempts=1, lease_until=make.ago(seconds=-60))
    assert outbox.deliver() == 0

    Delivery.objects.update(lease_until=make.ago(seconds=1))

    assert outbox.deliver() == 1
    delivery.refresh_from_db()
    assert delivery.attempts == 2


def test_without_a_consumer_it_is_sent_at_once_and_nobody_waits(consumer, smtp):
    consumer.delete()
    with services.mail_server() as server:
        server.taken = lambda: time.sleep(1)
        smtp(server.port)
        began = time.monotonic()

        put()

        assert time.monotonic() - began < 0.9
        outbox.settle()
        assert server.accepted == ["<ada@example.com>"]


def test_waiting_for_the_mails_waits_for_every_thread_that_sends(consumer, smtp):
    consumer.delete()
    with services.mail_server() as server:
        server.taken = lambda: time.sleep(0.2)
        smtp(server.port)
        for name in ("ada", "bob", "cid"):
            put(f"{name}@example.com")

        outbox.settle()

        assert "outbox" not in {thread.name for thread in threading.enumerate()}
        assert len(server.accepted) == 3


def test_ctrl_c_while_a_thread_starts_leaves_nothing_that_can_not_be_waited_for(consumer, monkeypatch):
    consumer.delete()

    def interrupted(thread):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            put()
    outbox.settle()

    put()
    outbox.settle()
    assert not Delivery.objects.filter(sent_at=None).exists()


def test_a_registration_waits_for_no_mail_server_and_its_mail_comes_later(settings, smtp):
    settings.EMAIL_OUTBOX = "housekeeping.journal.outbox.Backend"
    asked = {"username": "ada", "email": "ada@example.com", "password": "correct horse battery"}
    smtp(services.free_port())

    answer = APIClient().post("/api/register", asked)

    assert answer.status_code == 201
    outbox.deliver()
    with services.mail_server() as server:
        smtp(server.port)
        due_again(Delivery.objects.get())
        outbox.deliver()
        assert server.accepted == ["<ada@example.com>"]


@pytest.mark.parametrize("moment", ["not_before", "lease_until"])
def test_a_mail_put_off_by_a_clock_that_was_years_ahead_is_sent(moment):
    put()
    Delivery.objects.update(**{moment: make.ago(days=-1000)})

    assert outbox.deliver() == 1


def test_many_mails_that_wait_for_a_dead_server_hold_up_no_webhook(smtp, settings):
    smtp(services.free_port())
    for number in range(outbox.AT_ONCE + 10):
        put(f"{number}@example.com")
    with receiver() as pager:
        settings.HOUSEKEEPING_WEBHOOK_HOSTS = [pager.host]
        channel = make.channel("pager", address=f"{pager.url}/in")
        messages.put_test(channel)

        assert outbox.deliver() == 1

        assert len(pager.received) == 1


def test_what_was_tried_already_waits_behind_what_was_not(smtp):
    smtp(services.free_port())
    tried = [put(f"{number}@example.com") for number in range(3)]
    outbox.deliver()
    Delivery.objects.update(not_before=None)
    put("new@example.com")
    with services.mail_server() as server:
        smtp(server.port)
        outbox.deliver()

        assert server.accepted[0] == "<new@example.com>"
        assert len(server.accepted) == len(tried) + 1


def test_an_alert_to_a_mail_channel_that_was_removed_is_not_sent():
    channel = make.channel("boss", kind="mail", address="boss@example.com")
    messages.put_test(channel)
    channel.delete()

    outbox.deliver()

    assert mail.outbox == []
    assert Delivery.objects.get().answer == "the channel was removed"
