"""What a run keeps for its undo is verified: before the undo, by a command, each night."""

import os
import random

import pytest
import zstandard
from django.db import connection

from chat.models import ChatMessage, Conversation
from housekeeping.engine import unpacking, verification
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import damage, make
from tests.make import days
from tests.zoo.models import Animal, House, Park
from tests.zoo.tasks import POLICIES, carry_out

pytestmark = pytest.mark.django_db(transaction=True)


def purged(number=4, *, batch_size=1):
    for _ in range(number):
        make.conversation(age=days(40), messages=2)
    return carry_out(control.request("conversations", send=lambda run: None), batch_size=batch_size)


def undone(run, **options):
    return carry_out(control.undo(run, send=lambda run: None, **options))


def rows():
    conversations = Conversation.objects.order_by("pk").values()
    return [list(conversations), list(ChatMessage.objects.order_by("pk").values())]


def without_digests(run):
    """As version 1.0 has kept it."""
    run.archives.update(batch=None, position=None, before=None, digest=None)
    Run.objects.filter(pk=run.pk).update(archives_kept=None)


def damaged(run, *, at=0):
    """The end of one archive is missing."""
    kept = run.archives.order_by("pk")[at]
    Archive.objects.filter(pk=kept.pk).update(payload=bytes(kept.payload)[:-1])
    return kept


def garbled(run, *, at):
    """One archive holds a role that its table does not know; in version 1.0, no digest tells."""
    kept = run.archives.order_by("pk")[at]
    packed = unpacking.unpacked(kept.payload)
    changed = zstandard.compress(packed.replace(b"user", b"loser").replace(b"assistant", b"loser"))
    Archive.objects.filter(pk=kept.pk).update(payload=changed)


def test_what_was_kept_is_intact_and_so_is_the_receipt():
    run = purged()
    run.refresh_from_db()

    report = verification.verify(run)

    assert (report.findings(), report.archives, run.archives_kept) == ([], 8, 8)
    assert report.receipts == {"conversations": "verified"}


@pytest.mark.parametrize("seed", range(6))  # many more: tests/prove/test_damaged_archives.py
def test_what_is_damaged_is_refused_and_all_of_it_kept(seed):
    chance = random.Random(f"{os.environ.get('SEED', '')}{seed}")
    purged(2)
    purged(2)
    intact = damage.kept()
    broken = [dict(row) for row in intact]
    what = chance.choice(damage.KINDS)(broken, chance)
    damage.put(broken)

    undone_runs = [undone(one) for one in Run.objects.filter(undo_of=None) if one.archives.exists()]

    failed = [one for one in undone_runs if one.status == "failed"]
    assert failed, what
    damage.put([row for row in intact if row["run_id"] in {one.undo_of_id for one in failed}])
    for one in failed:
        assert undone(one.undo_of).status == "succeeded", what
    assert Conversation.objects.count() == 4
    assert ChatMessage.objects.count() == 8


def test_the_refusal_names_the_archive_and_what_is_intact():
    run = purged()
    damaged(run, at=2)
    left = rows()

    undo = undone(run)

    damage = "conversations, chat.ChatMessage, batch 2: it can't be unpacked: it is cut short."
    assert (undo.status, rows(), run.archives.count()) == ("failed", left, 8)
    assert damage in undo.error
    assert "7 of 8 archives are intact" in undo.error
    run.refresh_from_db()
    assert run.archive_damage == damage


@pytest.mark.parametrize(
    "columns",
    [
        {"model": "chat.ChatMessagf"},
        {"model": "chat.Conversation"},
        {"model": ""},
        {"policy": "conversationr"},
        {"emptied": "conversation_id"},
        {"schema": [["ie", "bigint"], ["conversation_id", "bigint"]]},
        {"schema": 5},
        {"schema": [["id"]]},
        {"vendor": "oracle"},
        {"rows": 2**31 - 1},
        {"batch": 99},
        {"batch": None},
        {"part": 3},
        {"position": 99},
        {"position": None},
        {"before": "0" * 64},
        {"before": None},
        {"before": "x"},
        {"digest": ""},
        {"is_own": True},
        {"payload": b""},
    ],
    ids=str,
)
def test_whatever_is_damaged_is_named_and_costs_its_own_batch_alone(columns):
    run = purged()
    kept = run.archives.filter(model="chat.ChatMessage").order_by("pk")[1]
    Archive.objects.filter(pk=kept.pk).update(**columns)
    kept.refresh_from_db()

    refused = undone(run)
    left = undone(run, intact_only=True)

    assert (refused.status, left.status) == ("failed", "succeeded"), left.error
    assert refused.error.startswith(f"NotPossible: {kept.name}: ")
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (3, 6)
    assert sum(left.result["not_restored"].values()) >= 3


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's jsonb is never broken")
def test_columns_that_are_no_json_are_damage_like_any_other():
    run = purged()
    kept = run.archives.filter(model="chat.ChatMessage").order_by("pk")[1]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute("UPDATE housekeeping_archive SET schema = '[[#' WHERE id = %s", [kept.pk])
        cursor.execute("PRAGMA ignore_check_constraints = OFF")

    assert "its digest does not match" in undone(run).error
    assert undone(run, intact_only=True).status == "succeeded"
    assert Conversation.objects.count() == 3


def test_a_batch_that_lacks_an_archive_is_left_and_what_is_lost_is_said():
    run = purged()
    run.archives.filter(model="chat.ChatMessage").order_by("pk")[1].delete()

    undo = undone(run, intact_only=True)

    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (3, 6)
    assert undo.result["not_restored"] == {
        "chat.Conversation: its archive, or one of its batch, is not intact": 1,
        "chat.ChatMessage: its archive is missing": 2,
    }
    undone(run, intact_only=True, unverified=True)
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (4, 6)


def test_a_whole_batch_that_is_lost_costs_no_other():
    run = purged()
    run.archives.filter(batch=2).delete()

    undo = undone(run, intact_only=True)

    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (3, 6)
    assert undo.result["not_restored"] == {
        "chat.Conversation: its archive is missing": 1,
        "chat.ChatMessage: its archive is missing": 2,
    }


def test_what_had_a_digest_and_is_gone_is_missing_after_an_undo_of_the_rest_too():
    run = purged()
    lost, bare = run.archives.order_by("pk")[1], run.archives.order_by("pk")[4]
    lost.delete()
    Archive.objects.filter(pk=bare.pk).update(digest=None)

    undone(run, intact_only=True)

    assert any("missing" in finding for finding in verification.verify(run).findings())


def test_a_copy_of_another_archive_stands_for_none():
    run = purged()
    carry_out(control.request("verification", send=lambda run: None))
    lost, other = run.archives.order_by("pk")[2:4]
    facts = Archive.objects.filter(pk=other.pk).values(*(name for name in damage.COLUMNS if name != "id"))
    Archive.objects.filter(pk=lost.pk).update(**facts[0])

    nightly = carry_out(control.request("verification", send=lambda run: None))

    assert nightly.status == "failed"
    assert "1 of 8 archives is missing. 1 archive is there twice." in nightly.error


def test_a_missing_archive_is_noticed():
    run = purged()
    run.archives.order_by("pk").last().delete()

    undo = undone(run)

    assert "1 of 8 archives is missing." in undo.error
    assert not Conversation.objects.exists()


def test_what_is_intact_comes_back_where_it_is_asked_for():
    run = purged()
    damaged(run, at=2)
    undone(run)

    undo = undone(run, intact_only=True)

    assert undo.result["restored"] == {"chat.Conversation": 3, "chat.ChatMessage": 6}
    assert undo.result["not_restored"] == {
        "chat.Conversation: its archive, or one of its batch, is not intact": 1,
        "chat.ChatMessage: its archive, or one of its batch, is not intact": 2,
    }
    assert run.archives.count() == 2


def test_what_was_kept_without_digests_comes_back_while_the_receipt_vouches_for_it():
    before = rows()
    run = purged()
    before = before != rows()
    without_digests(run)

    undo = undone(run)

    assert (undo.status, Conversation.objects.count(), before) == ("succeeded", 4, False)


@pytest.mark.parametrize("lose", [damaged, lambda run: run.archives.order_by("pk").first().delete()])
def test_what_nothing_vouches_for_comes_back_only_when_somebody_insists(lose):
    run = purged()
    without_digests(run)
    kept = lose(run)

    refused = undone(run)
    assert (refused.status, Conversation.objects.count()) == ("failed", 0)

    insisted = undone(run, unverified=True, intact_only=isinstance(kept, Archive))
    assert insisted.status == "succeeded", insisted.error
    assert Conversation.objects.count() in (3, 4)


def test_a_batch_that_the_table_does_not_take_is_named_and_can_be_left():
    run = purged()
    without_digests(run)
    garbled(run, at=2)

    refused = undone(run, unverified=True)
    left = undone(run, unverified=True, intact_only=True)

    assert refused.status == "failed"
    assert "conversations, chat.ChatMessage, batch 2: the database does not accept its rows" in refused.error
    assert "loser" not in refused.error + refused.traceback
    assert "Rows restored so far stay." in refused.error
    assert f"undo {run.pk} --intact-only --unverified" in refused.error
    assert left.status == "succeeded", left.error
    assert Conversation.objects.count() == 3
    assert left.result["not_restored"] == {
        "chat.Conversation: the database does not accept its batch": 1,
        "chat.ChatMessage: the database does not accept its batch": 2,
    }
    assert run.archives.count() == 2


def test_what_nothing_vouches_for_is_asked_about_again_after_an_undo_of_the_rest():
    run = purged()
    without_digests(run)
    damaged(run)
    undone(run, intact_only=True)
    assert not Conversation.objects.exists()

    again, insisted = undone(run), undone(run, intact_only=True, unverified=True)

    assert (again.status, insisted.status) == ("failed", "succeeded")


def test_an_undo_that_left_a_damaged_batch_without_a_digest_behind_can_be_resumed():
    run = purged()
    without_digests(run)
    damaged(run, at=7)
    undo = control.undo(run, send=lambda run: None, intact_only=True, unverified=True)
    undo = carry_out(undo, batch_size=1, should_stop=Conversation.objects.exists)
    assert (undo.status, Conversation.objects.count()) == ("queued", 1)

    undo = carry_out(undo)

    assert (undo.status, Conversation.objects.count()) == ("succeeded", 3), undo.error


def test_each_run_is_verified_once_and_a_damaged_one_fails_the_nightly_task():
    run, other = purged(), purged()
    damaged(other)

    first = carry_out(control.request("verification", send=lambda run: None))
    second = carry_out(control.request("verification", send=lambda run: None))

    assert (first.status, first.result["verified_runs"]) == ("failed", 2)
    assert str(other.pk) in first.error
    assert str(run.pk) not in first.error
    assert (second.status, second.result["verified_runs"]) == ("succeeded", 0)


def test_an_undo_by_a_command_that_is_asked_twice_is_one():
    run = purged()

    first = control.undo(run, send=lambda run: None)

    assert control.undo(run, send=lambda run: None) == first
    carry_out(first)
    with pytest.raises(NotPossible, match="already been undone"):
        control.undo(run, send=lambda run: None)


def test_a_run_that_has_lost_all_its_archives_is_damaged_until_its_window_is_over():
    run = purged(2)
    carry_out(control.request("verification", send=lambda run: None))
    run.archives.all().delete()

    nightly = carry_out(control.request("verification", send=lambda run: None))

    assert (nightly.status, verification.damaged_runs()) == ("failed", [run])
    assert "4 of 4 archives are missing." in nightly.error
    with pytest.raises(NotPossible, match="All archives of this run are missing"):
        control.undo(run, send=lambda run: None)
    Run.objects.filter(pk=run.pk).update(archives_expire_at=make.ago(hours=1))
    assert verification.damaged_runs() == []
    with pytest.raises(NotPossible, match="has no archive"):
        control.undo(run, send=lambda run: None)


def test_a_window_stays_as_it_was_when_its_run_began_to_delete(settings):
    run = purged(2)
    past = {"started_at": make.ago(days=8), "archives_expire_at": make.ago(days=1)}
    Run.objects.filter(pk=run.pk).update(**past)
    run.archives.all().delete()

    settings.HOUSEKEEPING_UNDO_DAYS = 30

    assert verification.unverified() == []
    assert verification.verify(run).findings() == []


def test_a_run_that_goes_on_after_the_setting_changed_has_one_window(settings):
    for _ in range(4):
        make.conversation(age=days(40), messages=2)
    stopped = control.request("conversations", send=lambda run: None)
    carry_out(stopped, batch_size=1, should_stop=Archive.objects.exists)
    stopped.refresh_from_db()
    assert (stopped.status, stopped.archives_kept) == ("queued", 2)

    settings.HOUSEKEEPING_UNDO_DAYS = 30
    run = carry_out(stopped, batch_size=1)

    expiries = set(run.archives.values_list("expires_at", flat=True))
    assert expiries == {run.archives_expire_at} == {run.started_at + days(7)}


def test_what_has_expired_in_part_is_not_damaged():
    run = purged(3)
    run.archives.update(expires_at=make.ago(hours=1))
    history = control.request("history", send=lambda run: None)
    carry_out(history, batch_size=2, should_stop=lambda: Archive.objects.count() < 6)
    assert run.archives.count() == 4
    run.refresh_from_db()

    assert verification.unverified() == []
    assert verification.verify(run).findings() == []
    assert verification.damaged_runs() == []


@pytest.fixture
def night(add_task, settings):
    """A run that deletes animals, and then the parks whose houses they lived in: a damaged archive
    has the first of the houses, of whose code there is another house since."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    zoo = {policy.name: policy for policy in POLICIES}
    policies = (zoo["animals"], zoo["parks"])
    add_task("night", lambda purge: {"gone": [purge(policy) for policy in policies]}, policies=policies)
    lasting = Park.objects.create()
    for code in ("first", "second", "lasting"):
        park = lasting if code == "lasting" else Park.objects.create(opened_at=make.ago(days=40))
        House.objects.create(code=code, park=park)
        Animal.objects.create(tag=code, house_id=code, seen_at=make.ago(days=40))
    run = carry_out(control.request("night", send=lambda run: None), batch_size=1)
    for kept in run.archives.filter(model="zoo.House"):
        if b"first" in unpacking.unpacked(kept.payload):
            damaged(run, at=list(run.archives.order_by("pk")).index(kept))
    House.objects.create(code="first", park=lasting)
    return run


def lives_in():
    return dict(Animal.objects.values_list("tag", "house"))


def test_nothing_is_attached_to_a_row_that_has_taken_the_key_of_a_damaged_one(night):
    undo = undone(night, intact_only=True)

    assert undo.status == "succeeded", undo.error
    assert lives_in() == {"second": "second"}
    assert undo.result["not_restored"]["zoo.Animal: the row that it refers to is gone, or not intact"] == 2


def test_what_refers_to_a_damaged_table_comes_back_once_somebody_insists(night):
    undone(night, intact_only=True)

    undone(night, intact_only=True, unverified=True)

    assert lives_in() == {"first": "first", "second": "second", "lasting": "lasting"}


def test_what_an_earlier_attempt_has_put_back_is_no_stranger(night):
    asked = control.undo(night, send=lambda run: None, intact_only=True)
    claimed = execution.claim(asked.pk, 0)
    execution.execute(claimed, batch_size=1, should_stop=lambda: House.objects.filter(code="second").exists())
    assert "second" not in lives_in()
    asked.refresh_from_db()

    carry_out(asked, batch_size=1)

    assert lives_in() == {"second": "second"}
