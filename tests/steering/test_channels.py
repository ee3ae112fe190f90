"""Channels as operators change them."""

import pytest

from housekeeping.exceptions import BadChannel, NotPossible, UnknownChannel
from housekeeping.journal import channels as journal
from housekeeping.journal import outbox, sending
from housekeeping.models import Act, Channel, Delivery
from housekeeping.steering import channels
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

HOOK = "https://hooks.example.com/services/T1/secret"


@pytest.fixture(autouse=True)
def _listed(settings):
    settings.HOUSEKEEPING_WEBHOOK_HOSTS = ["hooks.example.com"]
    make.consumer()
    yield
    outbox.settle()


def add(name="pager", kind="webhook", address=HOOK, **fields):
    return channels.add(name, kind, address=address, by=make.ADA, **fields)


def test_a_channel_is_added_and_its_secret_parts_are_on_no_record():
    add(kinds=["failed"], tasks=["stats"], is_reminded=False)

    channel = Channel.objects.get()
    assert (channel.address, channel.kinds, channel.tasks) == (HOOK, ["failed"], ["stats"])
    assert (channel.changed_by, channel.is_on) == ("ada", True)
    act = Act.objects.get()
    assert (act.what, act.target, act.details["after"]["kinds"]) == ("add channel", "pager", ["failed"])
    assert act.details["after"]["address"].startswith("https://hooks.example.com/… (")
    assert "secret" not in str(act.details)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "a/b"}),
        ("name", {"name": " . "}),
        ("name", {"name": "x" * 51}),
        ("name", {"name": "operators"}),
        ("kind", {"kind": "pigeon"}),
        ("kinds", {"kinds": ["failed", "bored"]}),
        ("tasks", {"tasks": ["dishes"]}),
        ("address", {"address": "http://hooks.example.com/"}),
        ("address", {"address": "https://inside.example.com/"}),
        ("address", {"address": "https://169.254.169.254/latest/meta-data"}),
        ("address", {"address": ""}),
        ("address", {"address": f"https://hooks.example.com/{'x' * 500}"}),
        ("address", {"kind": "slack", "address": "ada@example.com"}),
        ("address", {"kind": "mail", "address": "ada"}),
        ("address", {"kind": "mail", "address": ""}),
        ("address", {"kind": "mail", "address": "ada@example.com\nBcc: eve@example.com"}),
    ],
    ids=str,
)
def test_what_can_not_be_a_channel_is_refused(field, fields):
    with pytest.raises(BadChannel) as refused:
        add(**fields)

    assert refused.value.field == field
    assert not Channel.objects.exists()
    assert not Act.objects.exists()


def test_a_name_is_taken_once_and_channels_are_not_without_number():
    add()
    with pytest.raises(BadChannel, match="already"):
        add()

    for number in range(journal.MOST - 1):
        add(f"pager {number}")
    with pytest.raises(BadChannel, match="50"):
        add("one more")


def test_a_change_is_on_record_with_what_was_before():
    add()

    channels.change("pager", is_on=False, address=f"{HOOK}2", by=make.ADA)
    channels.change("pager", is_on=False, by=make.ADA)

    acts = list(Act.objects.filter(what="change channel"))
    assert len(acts) == 1
    before, after = acts[0].details["before"], acts[0].details["after"]
    assert (before["is_on"], after["is_on"]) == (True, False)
    assert before["address"] != after["address"]


def test_a_channel_whose_host_is_listed_no_more_can_be_switched_off_but_not_moved_inside(settings):
    add()
    settings.HOUSEKEEPING_WEBHOOK_HOSTS = []

    assert not channels.change("pager", is_on=False).is_on
    with pytest.raises(BadChannel, match="not listed"):
        channels.change("pager", address="https://hooks.example.com/other")


def test_a_task_that_is_gone_does_not_stop_another_change():
    add()
    Channel.objects.update(tasks=["dishes"])

    assert channels.change("pager", is_on=False).tasks == ["dishes"]


def test_the_operators_channel_is_there_without_a_row_and_can_be_changed_but_neither_removed_nor_moved():
    assert [channel.name for channel in journal.known()] == ["operators"]

    channels.change("operators", kinds=[], is_reminded=True, by=make.ADA)

    assert Channel.objects.get().kinds == []
    assert Act.objects.get().details["before"]["kinds"] == ["failed", "held"]
    with pytest.raises(NotPossible):
        channels.remove("operators")
    with pytest.raises(BadChannel, match="everybody who may operate"):
        channels.change("operators", address="eve@example.com")


def test_a_new_secret_signs_from_now_on():
    before = sending.secret(add())

    after = sending.secret(channels.make_secret("pager", by=make.ADA))

    assert before != after
    assert before not in str(list(Act.objects.values()))
    with pytest.raises(NotPossible):
        channels.make_secret("operators")


def test_a_channel_of_a_name_that_was_removed_has_another_secret():
    before = sending.secret(add())
    channels.remove("pager", by=make.ADA)

    assert sending.secret(add()) != before
    assert [act.what for act in Act.objects.order_by("pk")] == [
        "add channel",
        "remove channel",
        "add channel",
    ]


def test_a_test_goes_to_a_channel_that_is_off_too():
    make.administrator(email="ada@example.com")
    add(is_on=False)

    assert channels.send_test("pager", by=make.ADA) == 1
    assert channels.send_test("operators") == 1

    hook, mail = Delivery.objects.order_by("pk")
    assert (hook.kind, hook.transport, hook.payload["body"]["type"]) == ("test", "webhook", "test")
    assert (mail.address, mail.payload["subject"]) == ("ada@example.com", "Housekeeping: a test")


def test_a_test_that_nobody_gets_says_so():
    with pytest.raises(NotPossible, match="ADMINS is empty"):
        channels.send_test("operators")


@pytest.mark.parametrize("act", [channels.change, channels.remove, channels.send_test, channels.make_secret])
def test_what_is_no_channel_is_unknown(act):
    with pytest.raises(UnknownChannel):
        act("nobody")
