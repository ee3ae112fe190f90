from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from chat.models import ChatMessage, Conversation, User
from housekeeping.exceptions import NotPossible
from housekeeping.journal import outbox
from housekeeping.journal.acts import Actor
from housekeeping.models import Archive, Hold, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)

ADA = Actor("ada", "a test")
TABLES = ["chat_user", "chat_conversation", "chat_chatmessage", "chat_user_groups"]


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


def purged(task, **options):
    return carry_out(control.request(task, send=lambda run: None, by=ADA, **options))


def undone(run):
    return carry_out(control.undo(run, send=lambda run: None, by=ADA))


def rows():
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            found[table] = cursor.fetchall()
    return found


@pytest.mark.parametrize("task", ["conversations", "messages", "users"])
def test_undone_is_as_before_row_for_row(task):
    make.conversation(age=days(40), messages=3, title='a tab\t, a line\n, a \\\\N and "quotes"')
    make.conversation(age=days(1), messages=1)
    make.message(content="\\N")
    make.conversation(user=make.visitor(age=days(50)), messages=2)
    before = rows()

    run = purged(task)
    assert rows() != before
    undo = undone(run)

    assert undo.status == "succeeded", undo.error
    assert rows() == before
    assert not Archive.objects.exists()


@examples(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            st.timedeltas(timedelta(), timedelta(days=60)),
        ),
        max_size=8,
    )
)
def test_whatever_was_written_comes_back(messages):
    conversation = make.conversation(age=days(40))
    for content, age in messages:
        make.message(conversation=conversation, content=content, created_at=make.ago() - age)
    before = rows()

    run = purged("conversations")
    assert not Conversation.objects.filter(pk=conversation.pk).exists()
    undone(run)

    assert rows() == before
    Conversation.objects.all().delete()
    Hold.objects.all().delete()


def test_an_archive_of_a_megabyte_comes_back():
    conversation = make.conversation(age=days(40))
    make.message(conversation=conversation, content="A long text. " * 100_000)
    before = rows()

    undo = undone(purged("conversations"))

    assert undo.status == "succeeded", undo.error
    assert rows() == before


def test_what_came_back_is_spared_by_the_next_run():
    kept = make.conversation(age=days(40))
    undone(purged("conversations"))

    run = purged("conversations")

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 0})
    assert run.receipt["conversations"]["held_back"] == {"held": 1, "protected": 0}
    assert Conversation.objects.get() == kept


def test_a_row_whose_user_is_gone_waits_in_the_archive():
    gone, stays = make.conversation(age=days(40), messages=2), make.conversation(age=days(40), messages=1)
    run = purged("conversations")
    User.objects.filter(pk=gone.user_id).delete()

    undo = undone(run)

    assert undo.result["restored"] == {"chat.Conversation": 1, "chat.ChatMessage": 1}
    assert undo.result["not_restored"] == {
        "chat.Conversation: the row that it refers to is gone": 1,
        "chat.ChatMessage: the row that it refers to is gone": 2,
    }
    assert Conversation.objects.get() == stays
    make.user(id=gone.user_id)
    undone(run)
    assert ChatMessage.objects.filter(conversation=gone).count() == 2


def test_a_strangers_key_stays_the_strangers():
    old = make.conversation(age=days(40), messages=2)
    run = purged("conversations")
    stranger = make.conversation(id=old.pk, title="a stranger")

    undo = undone(run)

    assert undo.result["not_restored"]["chat.Conversation: its key is taken by another row"] == 1
    assert Conversation.objects.get().title == "a stranger"
    assert not stranger.messages.exists()


def test_undoing_twice_is_harmless():
    make.conversation(age=days(40))
    run = purged("conversations")
    first = undone(run)

    with pytest.raises(NotPossible, match=str(first.pk)):
        control.undo(run, send=lambda run: None, by=ADA)

    assert Conversation.objects.count() == 1


def test_without_undo_days_no_archive_is_kept(settings):
    settings.HOUSEKEEPING_UNDO_DAYS = 0
    make.conversation(age=days(40), messages=1)

    run = purged("conversations")

    assert run.result == {"deleted_conversations": 1}
    with pytest.raises(NotPossible, match="no archive"):
        control.undo(run, send=lambda run: None, by=ADA)


def test_an_archive_goes_when_it_expires_and_its_run_not_before():
    kept = make.run(status="succeeded", requested_at=make.ago(days=100))
    gone = make.run(status="succeeded", requested_at=make.ago(days=100))
    make.archive(kept)
    make.archive(gone, expires_at=make.ago(days=1))

    run = purged("history")

    assert (run.result["deleted_archives"], run.result["deleted_runs"]) == (1, 1)
    assert Archive.objects.get().run == kept


def test_a_purge_of_most_of_a_table_waits_for_approval(settings, administrator):
    settings.HOUSEKEEPING_BRAKE_ROWS = 2
    for _ in range(3):
        make.conversation(age=days(40))

    run = purged("conversations")

    assert run.status == "held"
    assert Conversation.objects.count() == 3
    outbox.settle()
    assert administrator.email in mail.outbox[0].to
    approved = carry_out(control.approve(run, send=lambda run: None, by=ADA))
    assert (approved.status, approved.approved_by) == ("succeeded", "ada")
    assert not Conversation.objects.exists()


def test_a_small_site_is_not_held():
    make.conversation(age=days(40))

    assert purged("conversations").status == "succeeded"


def test_the_newer_held_run_takes_the_place_of_the_older(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    older = purged("conversations")

    newer = carry_out(make.run("conversations"))

    older.refresh_from_db()
    assert (older.status, newer.status) == ("cancelled", "held")


@pytest.mark.parametrize("task", ["conversations", "users"])
def test_a_held_conversation_survives_every_policy(task):
    kept = make.conversation(user=make.visitor(age=days(50)), age=days(40), messages=2)
    Hold.objects.create(model="chat.Conversation", key=str(kept.pk), reason="A dispute")

    purged(task)

    assert Conversation.objects.get() == kept
    assert kept.messages.count() == 2


def test_a_held_user_keeps_the_conversations_until_the_hold_ends():
    kept = make.conversation(age=days(40), messages=1)
    hold = Hold.objects.create(model="chat.User", key=str(kept.user_id), reason="x", until=make.ago(days=-1))

    assert purged("conversations").result == {"deleted_conversations": 0}
    Hold.objects.filter(pk=hold.pk).update(until=make.ago(days=1))
    assert purged("conversations").result == {"deleted_conversations": 1}


def test_undoing_a_run_that_goes_on_stops_it_first():
    run = make.run(status="running", attempts=1)

    undo = control.undo(run, send=lambda run: None, by=ADA)

    run.refresh_from_db()
    assert run.cancel_requested
    assert Run.objects.get(pk=undo.pk).undo_of == run


def test_a_run_of_which_a_part_has_expired_is_not_put_back_by_half():
    make.conversation(age=days(40), messages=1)
    run = purged("conversations")
    part = run.archives.order_by("pk").first()
    Archive.objects.filter(pk=part.pk).update(expires_at=make.ago(seconds=1))

    with pytest.raises(NotPossible, match="some of its archives have expired"):
        control.undo(run, send=lambda run: None, by=ADA)

    assert not Conversation.objects.exists()


def test_a_purged_run_stays_as_long_as_the_run_that_undoes_it():
    run = make.run(status="succeeded", requested_at=make.ago(days=100))
    undo = make.run(status="failed", requested_at=make.ago(days=10), undo_of=run)

    purged("history")

    undo.refresh_from_db()
    assert undo.undo_of == run
