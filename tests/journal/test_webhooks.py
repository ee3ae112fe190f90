"""Webhooks and texts for a chat, from the outbox to a real receiver."""

import base64
import hashlib
import hmac
import time

import pytest
from django.core import mail

from housekeeping.journal import outbox, posting, sending
from housekeeping.models import Delivery
from tests import make, receivers, services
from tests.docs.snippets import DOCS, snippets

ALERTS = DOCS / "howto/mail-alerts.md"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(settings):
    make.consumer()  # one is up, so that nothing is sent before a test does it
    with receivers.receiver() as server:
        settings.HOUSEKEEPING_WEBHOOK_HOSTS = [server.host]
        yield server
    outbox.settle()


def put(receiver, kind="webhook", name="pager"):
    channel = make.channel(name, kind=kind, address=f"{receiver.url}/in/secret")
    payload = {"id": "msg_1", "body": {"type": "test"}} if kind == "webhook" else {"text": "Hello"}
    outbox.store([Delivery(transport=kind, channel=channel.name, kind="alert", address="…", payload=payload)])
    return channel


def due_again():
    Delivery.objects.update(not_before=make.ago(seconds=1))


def only():
    return Delivery.objects.get()


def test_a_webhook_is_signed_as_the_standard_says(receiver):
    channel = put(receiver)

    assert outbox.deliver() == 1

    [request] = receiver.received
    sent_at = int(request.headers["webhook-timestamp"])
    key = base64.b64decode(sending.secret(channel).removeprefix("whsec_"))
    signed = f"msg_1.{sent_at}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert (request.headers["webhook-id"], request.json) == ("msg_1", {"type": "test"})
    assert abs(sent_at - time.time()) < 60
    assert (only().state, only().answer, only().payload) == ("sent", "200 OK", None)


def test_the_receiver_that_the_docs_show_takes_it_and_nothing_else(receiver):
    [code] = [one.text for one in snippets(ALERTS.read_text()) if one.file == "receiver.py"]
    names = {}
    exec(code, names)
    is_genuine, secret = names["is_genuine"], sending.secret(put(receiver))
    outbox.deliver()

    [request] = receiver.received
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert is_genuine(secret, headers, request.body)
    assert not is_genuine(secret, headers, request.body + b" ")
    assert not is_genuine(secret, headers | {"webhook-id": "msg_2"}, request.body)
    assert not is_genuine(secret, headers | {"webhook-timestamp": "1"}, request.body)
    old = {
        "webhook-timestamp": "1",
        "webhook-signature": sending.signature(secret, "msg_1", "1", request.body),
    }
    assert not is_genuine(secret, headers | old, request.body)


def test_each_channel_has_a_secret_of_its_own_and_a_new_one_when_asked(receiver):
    one, other = put(receiver), put(receiver, name="other")
    before = sending.secret(one)
    one.secret_number += 1

    assert len({before, sending.secret(one), sending.secret(other)}) == 3


def test_a_receiver_that_fails_gets_the_same_message_later(receiver, caplog):
    put(receiver)
    receiver.status = 503
    assert outbox.deliver() == 0
    assert (only().state, only().answer) == ("waiting", "503 Service Unavailable")

    receiver.status = 204
    due_again()

    assert outbox.deliver() == 1
    [refused], [accepted] = receiver.refused, receiver.received
    assert refused.headers["webhook-id"] == accepted.headers["webhook-id"]
    assert (only().answer, only().attempts) == ("204 No Content", 2)
    assert "secret" not in caplog.text


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(receiver):
    put(receiver)
    receiver.status = 410

    outbox.deliver()

    assert (only().state, only().answer) == ("given_up", "410 Gone")


def test_a_host_that_is_listed_no_more_gets_nothing(receiver, settings):
    put(receiver)
    settings.HOUSEKEEPING_WEBHOOK_HOSTS = []

    outbox.deliver()

    assert (only().state, only().answer, receiver.received) == ("given_up", "the host is not listed", [])


def test_a_message_for_a_channel_that_was_removed_is_given_up(receiver):
    put(receiver).delete()

    outbox.deliver()

    assert (only().state, only().answer, receiver.received) == ("given_up", "the channel was removed", [])


def test_a_corrected_address_gets_what_still_waits(receiver):
    channel = put(receiver)
    right, channel.address = channel.address, f"http://127.0.0.1:{services.free_port()}/"
    channel.save()
    outbox.deliver()
    assert only().answer == "the host is not listed"
    Delivery.objects.update(failed_at=None, payload={"id": "msg_1", "body": {}})

    channel.address = right
    channel.save()

    assert outbox.deliver() == 1


def test_a_text_for_a_chat_is_one_field(receiver):
    put(receiver, kind="slack")

    outbox.deliver()

    [request] = receiver.received
    assert (request.json, request.headers["Content-Type"]) == ({"text": "Hello"}, "application/json")


def test_a_receiver_that_hangs_holds_up_nobody_beyond_its_limit(receiver, monkeypatch):
    monkeypatch.setattr(posting, "SECONDS", 0.3)
    receiver.drips = True
    put(receiver)
    for _ in range(5):
        outbox.store(
            [Delivery(transport="webhook", channel="pager", address="…", payload={"id": 1, "body": 1})]
        )
    outbox.put("Hello", "Text", ["ada@example.com"])
    began = time.monotonic()

    assert outbox.deliver() == 1

    assert [message.to for message in mail.outbox] == [["ada@example.com"]]
    assert time.monotonic() - began < 3
    assert Delivery.objects.filter(attempts=1, sent_at=None).count() == outbox.MOST_SERVER_ERRORS


@pytest.mark.parametrize("payload", [None, {}, {"id": "msg_1"}, {"text": 1}, []], ids=str)
@pytest.mark.parametrize("kind", ["webhook", "slack", "pigeon"])
def test_what_is_no_message_holds_up_no_other(receiver, kind, payload):
    put(receiver, kind="webhook")
    Delivery.objects.update(transport=kind, payload=payload)
    outbox.put("Hello", "Text", ["ada@example.com"])

    outbox.deliver()

    assert mail.outbox[0].to == ["ada@example.com"]
