"""Archives that some rows were erased from: what verifies them, and what an undo puts back."""

import csv

import pytest

from chat.models import ChatMessage, Conversation
from housekeeping.engine import archive, restore, unpacking, verification
from housekeeping.models import Archive, Run
from housekeeping.reading import receipts
from housekeeping.runs import control
from tests import make
from tests.make import days
from tests.zoo.tasks import carry_out, undo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_brake(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1


def purged(conversations=3):
    for _ in range(conversations):
        make.conversation(age=days(40), messages=2)
    return carry_out(control.request("conversations", send=lambda run: None), batch_size=10)


def erase(run, *keys):
    """As the erasure of a person: the conversations with these keys, and their messages."""
    counts = {}
    for archived in run.archives.order_by("pk"):
        packed = unpacking.unpacked(archived.payload)
        column = 0 if archived.model == "chat.Conversation" else 1
        vendor = archived.vendor
        rows = unpacking.copied_rows(packed) if vendor == "postgresql" else unpacking.json_rows(packed)
        rest = [row for row in rows if unpacking.text_of(unpacking.values_in(row)[column]) not in keys]
        if len(rest) < len(rows):
            counts[archived.model] = len(rows) - len(rest)
            archive.replace(archived, rest)
    Run.objects.filter(pk=run.pk).update(erased={"conversations": counts})
    run.refresh_from_db()


def damage(archived):
    payload = bytearray(archived.payload)
    payload[-5] ^= 1
    Archive.objects.filter(pk=archived.pk).update(payload=bytes(payload))


def test_a_rewritten_archive_is_intact_and_the_chain_can_t_be_checked():
    run = purged()
    erase(run, str(run.pk), first_key())

    report = verification.verify(run)

    assert report.findings() == []
    assert report.receipts == {"conversations": "erased"}


def first_key():
    contents = unpacking.unpacked(Archive.objects.get(is_own=True).payload)
    vendor = Archive.objects.get(is_own=True).vendor
    rows = unpacking.copied_rows(contents) if vendor == "postgresql" else unpacking.json_rows(contents)
    return unpacking.text_of(unpacking.values_in(rows[0])[0])


def test_damage_to_a_rewritten_archive_and_to_its_neighbour_is_still_found():
    run = purged()
    erase(run, first_key())
    for archived in run.archives.all():
        payload = archived.payload
        damage(archived)

        assert verification.verify(run).findings(), archived
        Archive.objects.filter(pk=archived.pk).update(payload=payload)
    assert not verification.verify(run).findings()


def test_a_missing_archive_is_still_found():
    run = purged()
    erase(run, first_key())
    run.archives.first().delete()

    assert verification.verify(run).findings() == ["1 of 2 archives is missing."]


def test_an_undo_puts_back_the_rest():
    run = purged()
    key = first_key()
    erase(run, key)

    undone = undo(run)

    assert (undone.status, undone.result["not_restored"]) == ("succeeded", {})
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (2, 4)
    assert not Conversation.objects.filter(pk=key).exists()
    assert not Archive.objects.exists()


def test_an_undo_of_a_run_whose_rows_are_all_erased_puts_back_nothing():
    run = purged(1)
    erase(run, first_key())

    undone = undo(run)

    assert (undone.status, sum(undone.result["restored"].values())) == ("succeeded", 0)
    assert not Archive.objects.exists()


def test_the_receipt_tells_how_many_rows_were_erased():
    run = purged()
    erase(run, first_key())

    [policy] = receipts.document(run)["policies"]

    assert policy["rows"] == {"chat.Conversation": 3, "chat.ChatMessage": 6}
    assert policy["erased"] == {"chat.Conversation": 1, "chat.ChatMessage": 2}
    lines = list(csv.DictReader(receipts.as_csv(run).splitlines()))
    assert [line["rows_erased"] for line in lines] == ["2", "1"]


class RewrittenMeanwhile(restore.Undo):
    """An undo beside an erasure, which rewrites the archives after they were read."""

    keys = ()

    def _insertions(self, at, done):
        read = super()._insertions(at, done)
        keys, self.keys = self.keys, ()
        if keys:
            erase(self.purged, *keys)
        return read


@pytest.mark.parametrize("size", [None, 2])
def test_an_undo_does_not_put_back_rows_that_were_erased_after_it_read_them(size, monkeypatch):
    monkeypatch.setattr(restore, "Undo", RewrittenMeanwhile)
    run = purged()
    key = first_key()
    monkeypatch.setattr(RewrittenMeanwhile, "keys", (key,))

    undone = undo(run, batch_size=size)

    assert (undone.status, undone.result["not_restored"]) == ("succeeded", {}), undone.error
    assert Conversation.objects.count() == 2
    assert not Conversation.objects.filter(pk=key).exists()
