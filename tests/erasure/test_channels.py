"""Channels that are called like the person."""

import pytest
from django.utils import timezone

from housekeeping.erasure import people, requests, work
from housekeeping.journal import channels
from housekeeping.models import Channel, Delivery
from tests import make
from tests.erasure import traces
from tests.erasure.people import NAME, TRACES, grace

pytestmark = pytest.mark.django_db(transaction=True)


def message(channel, **fields):
    facts = {"address": "ops@example.com", "payload": {"channel": channel}, "created_at": timezone.now()}
    return Delivery.objects.create(channel=channel, **facts | fields)


def erase(name=NAME):
    return work.carry_out(requests.store(people.find(name)))


def test_a_channel_is_renamed_together_with_its_messages():
    grace()
    for name in (NAME, f"Mails for {NAME}", "ops"):
        make.channel(name, kind="mail", address="ops@example.com")
    waiting, gone, other = message(NAME), message(NAME.upper(), sent_at=timezone.now()), message("ops")

    erasure = erase()

    assert traces.of(*TRACES) == []
    called = {"ops", erasure.pseudonym, f"Mails for {erasure.pseudonym}"}
    assert set(Channel.objects.values_list("name", flat=True)) == called
    for one in (waiting, gone, other):
        one.refresh_from_db()
    assert channels.find(waiting.channel).name == erasure.pseudonym
    assert (gone.channel, other.channel, waiting.payload) == (
        erasure.pseudonym, "ops", {"channel": erasure.pseudonym},
    )  # fmt: skip
    assert erasure.changed["housekeeping.Channel"] == 2
    assert Channel.objects.get(name=erasure.pseudonym).is_on


def test_two_channels_keep_two_names():
    grace()
    for name in (NAME, NAME.upper()):
        make.channel(name, kind="slack", address="https://hooks.example.com/x")
        message(name)

    erasure = erase()

    named = {erasure.pseudonym, f"{erasure.pseudonym}-2"}
    assert set(Channel.objects.values_list("name", flat=True)) == named
    assert set(Delivery.objects.values_list("channel", flat=True)) == named


def test_a_channel_with_an_ordinary_name_keeps_it():
    make.user(username="failed")
    make.channel("failed", kind="mail", address="ops@example.com")

    erase("failed")

    assert Channel.objects.get().name == "failed"
