"""Keeping rows: who may not be kept, what is on record, and what a purge makes of it."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import Conversation
from chat.tasks import old_conversations
from housekeeping.engine.holds import without_row
from housekeeping.engine.purge import due, purge, purge_batches
from housekeeping.exceptions import BadHold, NotPossible
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, Hold, Run
from housekeeping.steering import holds
from housekeeping.tasks import tidy_history
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db

ADA = Actor("ada", "a test")
CONVERSATION = "chat.Conversation"


def undo_with_holds(number, **fields):
    undo = make.run(status="succeeded", undo_of=make.run(status="succeeded"))
    Hold.objects.bulk_create(
        Hold(**{"model": CONVERSATION, "key": str(key), "reason": "Put back", "undo": undo} | fields)
        for key in range(1, number + 1)
    )
    return undo


def test_a_hold_keeps_its_row_and_says_who_made_it():
    kept, gone = make.conversation(age=days(40)), make.conversation(age=days(40))

    hold = holds.add(CONVERSATION, kept.pk, reason=" A dispute ", by=ADA)

    assert purge(old_conversations) == 1
    assert Conversation.objects.get() == kept != gone
    assert (hold.until, hold.reason, hold.made_by) == (None, "A dispute", "ada")
    act = Act.objects.get()
    assert (act.who, act.what, act.target) == ("ada", "hold", f"{CONVERSATION} {kept.pk}")
    assert act.details["after"] == {"until": None, "reason": "A dispute"}


@pytest.mark.parametrize("written", ["{}", " {} ", "0{}"])
def test_a_key_is_kept_as_the_database_writes_it_however_it_was_typed(written):
    row = make.conversation(age=days(40))

    hold = holds.add("chat.conversation", written.format(row.pk), reason="x")

    assert (hold.model, hold.key) == (CONVERSATION, str(row.pk))
    assert purge(old_conversations) == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"model": "chat.Nonsense"}, "model"),
        ({"model": "sessions.Session"}, "model"),
        ({"model": ""}, "model"),
        ({"key": "999999999"}, "key"),
        ({"key": "9" * 40}, "key"),
        ({"key": "9" * 101}, "key"),
        ({"key": "forty-two"}, "key"),
        ({"key": "a\0"}, "key"),
        ({"key": ""}, "key"),
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\0"}, "reason"),
        ({"until": datetime(2026, 1, 1, tzinfo=UTC)}, "until"),
    ],
    ids=str,
)
def test_what_can_t_be_kept_is_one_clear_error_and_keeps_nothing(wrong, field):
    asked = {"model": CONVERSATION, "key": make.conversation().pk, "reason": "x"} | wrong

    with pytest.raises(BadHold) as error:
        holds.add(**asked, by=ADA)

    assert error.value.field == field
    assert not Hold.objects.exists()
    assert not Act.objects.exists()


def test_the_choices_are_what_policies_delete_from():
    choices = holds.holdable()

    assert list(choices)[:2] == [CONVERSATION, "chat.ChatMessage"]
    assert "chat.User" in choices
    assert "sessions.Session" not in choices


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", None),
        ("2027-01-31", datetime(2027, 1, 31, 22, 59, 59, tzinfo=UTC)),
        ("2027-01-31T12:00", datetime(2027, 1, 31, 11, tzinfo=UTC)),
        ("2027-01-31T12:00:00+00:00", datetime(2027, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_date_is_kept_to_its_end_in_the_zone_of_the_site(text, read, settings):
    settings.TIME_ZONE = "Europe/Berlin"

    with timezone.override("Asia/Tokyo"):  # for a visitor
        assert holds.moment(text) == read


@pytest.mark.parametrize("text", ["tomorrow", "2027-02-30", "31.1.2027", "0000-00-00", "9"])
def test_what_is_no_date_is_told_what_would_be(text):
    with pytest.raises(BadHold, match="write 2027-01-31"):
        holds.moment(text)


def test_a_hold_is_changed_and_both_its_ends_are_on_record():
    hold = holds.add(CONVERSATION, make.conversation().pk, reason="x")
    until = timezone.now() + days(3)

    holds.change(hold, until=until, by=ADA)

    hold.refresh_from_db()
    assert (hold.until, hold.reason) == (until, "x")
    details = Act.objects.get().details
    assert (details["before"]["until"], details["after"]["until"]) == (None, until.isoformat())


def test_a_change_that_changes_nothing_is_not_recorded_and_a_bad_one_not_made():
    hold = holds.add(CONVERSATION, make.conversation().pk, reason="x")

    holds.change(hold, until=None, reason="x", by=ADA)
    with pytest.raises(BadHold):
        holds.change(hold, until=make.ago(days=1), reason="y", by=ADA)

    hold.refresh_from_db()
    assert (hold.until, hold.reason) == (None, "x")
    assert not Act.objects.exists()


def test_an_ended_hold_may_get_another_reason():
    hold = Hold.objects.create(model=CONVERSATION, key="1", reason="x", until=make.ago(days=1))

    assert holds.change(hold, until=hold.until, reason="y").reason == "y"


def test_a_hold_that_was_ended_lets_the_row_go():
    hold = holds.add(CONVERSATION, make.conversation(age=days(40)).pk, reason="x")

    holds.end(hold, by=ADA)

    assert purge(old_conversations) == 1
    assert Act.objects.get().details["before"]["reason"] == "x"
    with pytest.raises(NotPossible):
        holds.end(hold, by=ADA)


def test_the_holds_of_an_undo_are_changed_and_ended_as_one(django_assert_max_num_queries):
    undo, other = undo_with_holds(300), undo_with_holds(2)
    until = timezone.now() + days(60)

    with django_assert_max_num_queries(15):
        assert holds.change_all(undo, until, by=ADA) == 300
        assert holds.group(undo) == holds.Group(300, until, until)
        assert holds.end_all(undo, by=ADA) == 300

    assert set(Hold.objects.values_list("undo", "until")) == {(other.pk, None)}
    assert [act.what for act in Act.objects.order_by("pk")] == ["change holds", "end holds"]
    assert Act.objects.first().details["before"]["holds"] == 300


def test_a_run_without_holds_has_none_to_change_or_end():
    undo = make.run(status="succeeded")

    for act in (lambda: holds.end_all(undo), lambda: holds.change_all(undo, None)):
        with pytest.raises(NotPossible, match="This run has no holds"):
            act()


def test_a_hold_wins_against_a_purge_that_is_under_way():
    _first, second = (make.conversation(age=days(41 - number)) for number in range(2))
    batches = purge_batches(old_conversations, cutoff=make.ago(days=30), batch_size=1)
    next(batches)

    holds.add(CONVERSATION, second.pk, reason="x")

    assert not any(batch.keys for batch in batches)
    assert Conversation.objects.get() == second


def test_what_holds_cost_does_not_grow_with_their_number():
    """Asked before each batch: which models are held is one row, and whether a row is, one look
    into the index of holds."""
    undo_with_holds(500)
    row = make.conversation(age=days(40))
    with CaptureQueriesContext(connection) as queries:
        rows = due(old_conversations, cutoff=make.ago(days=30))
        assert list(rows.filter(pk=row.pk)) == ([] if row.pk <= 500 else [row])

    [models, _] = [query["sql"] for query in queries]
    with connection.cursor() as cursor:
        cursor.execute(models)
        assert len(cursor.fetchall()) == 1
    if connection.vendor == "sqlite":
        assert "USING INDEX hold_of_row (model=? AND key=?)" in rows.explain()
    else:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE housekeeping_hold")
        assert "Index Scan using hold_of_row" in rows.explain()
        assert "hashed SubPlan" not in rows.explain()


def test_holds_that_ended_long_ago_go_and_the_others_stay():
    ends = [None, make.ago(days=-5), make.ago(days=29), make.ago(days=31)]
    for until in ends:
        Hold.objects.create(model=CONVERSATION, key="1", reason="x", until=until)

    assert tidy_history()["deleted_holds"] == 1

    assert set(Hold.objects.values_list("until", flat=True)) == set(ends[:3])


def test_an_undo_s_run_stays_with_its_holds():
    undo = undo_with_holds(1)
    Run.objects.update(requested_at=make.ago(days=100))

    tidy_history()

    assert set(Run.objects.all()) == {undo, undo.undo_of}
    holds.end_all(undo)
    tidy_history()
    assert set(Run.objects.all()) <= {undo.undo_of}  # which goes once nothing undoes it any more
    tidy_history()
    assert not Run.objects.exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's writers take turns")
@pytest.mark.django_db(transaction=True)
def test_a_hold_on_what_hangs_from_a_row_waits_for_the_batch_that_is_at_work_on_it():
    conversation = make.conversation(age=days(40), messages=1)
    message = conversation.messages.get()
    refused = []

    def keep():
        try:
            holds.add("chat.ChatMessage", message.pk, reason="A dispute")
        except BadHold as error:
            refused.append(str(error))
        finally:
            connection.close()

    keeper = threading.Thread(target=keep)

    def meanwhile(batch):
        keeper.start()
        keeper.join(0.5)
        assert keeper.is_alive()

    list(purge_batches(old_conversations, cutoff=make.ago(days=30), save_progress=meanwhile))
    keeper.join()

    assert not Conversation.objects.exists()
    assert ["There is no chat.ChatMessage" in one for one in refused] == [True]
    assert not Hold.objects.exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's writers take turns")
@pytest.mark.django_db(transaction=True)
def test_lapsed_holds_of_an_undo_are_in_force_again_only_after_the_batch_at_work():
    make.conversation(age=days(40))
    undo = undo_with_holds(2)
    undo.holds.update(until=make.ago(days=1))
    ended = []

    def extend():
        try:
            holds.change_all(undo, None)
        finally:
            connection.close()

    keeper = threading.Thread(target=extend)

    def meanwhile(batch):
        keeper.start()
        keeper.join(0.5)
        ended.append(not keeper.is_alive())

    list(purge_batches(old_conversations, cutoff=make.ago(days=30), save_progress=meanwhile))
    keeper.join()

    assert ended == [False]
    assert undo.holds.filter(until=None).count() == 2


def test_holds_without_their_row_are_found_with_one_query_for_each_model(django_assert_num_queries):
    made = [make.conversation(), make.conversation(), make.user()]
    found = [Hold.objects.create(model=row._meta.label, key=str(row.pk), reason="A dispute") for row in made]
    lost = [("chat.Conversation", "0"), ("chat.Conversation", "no number"), ("chat.Dropped", "1")]
    gone = [Hold.objects.create(model=model, key=key, reason="A dispute") for model, key in lost]

    with django_assert_num_queries(2):
        assert without_row([*found, *gone]) == {one.pk for one in gone}
