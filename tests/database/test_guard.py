"""A dry run deletes nothing, whatever its task does."""

import threading

import pytest
from django.db import connection, connections, transaction

from chat.models import ChatMessage, Conversation
from chat.tasks import old_conversations
from housekeeping.database import guard
from housekeeping.declared.policies import Policy
from housekeeping.engine.purge import purge
from housekeeping.exceptions import Cancelled, CannotPreview, WriteInDryRun
from housekeeping.models import LogLine, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import days
from tests.zoo.models import Keeper

pytestmark = pytest.mark.django_db(transaction=True)

only_on_postgres = pytest.mark.skipif("connection.vendor != 'postgresql'")
only_on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'")


def dry_run(task, **options):
    run = control.request(task, send=lambda run: None, dry_run=True)
    return execution.execute(execution.claim(run.pk, run.attempts), **options)


def sql(statement, alias="default"):
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)


def in_a_transaction(write):
    with transaction.atomic():
        write()


DELETE = "DELETE FROM chat_chatmessage"
LIES = {
    "orm": lambda: ChatMessage.objects.all().delete(),
    "queryset update": lambda: ChatMessage.objects.update(content=""),
    "bulk_create": lambda: ChatMessage.objects.bulk_create([ChatMessage(role="user", content="x")]),
    "save": lambda: make.message(),
    "raw": lambda: sql(DELETE),
    "lower case, with a comment": lambda: sql(f"/* SELECT */ -- SELECT\n  {DELETE.lower()}"),
    "with": lambda: sql(f"WITH old AS (SELECT 1) {DELETE}"),
    "truncate": lambda: sql("TRUNCATE chat_chatmessage"),
    "several": lambda: sql(f"SELECT 1; {DELETE}"),
    "behind a quoted comment": lambda: sql(f"SELECT '--'; {DELETE}"),
    "behind a comment that a carriage return ends": lambda: sql(f"SELECT 1 --\r; COMMIT; {DELETE}"),
    "commit first": lambda: sql(f"COMMIT; {DELETE}"),
    "atomic": lambda: in_a_transaction(lambda: sql(DELETE)),
    "pragma": lambda: [sql("PRAGMA query_only = 0"), sql(DELETE)],
    "purge itself": lambda: purge(old_conversations),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_dry_run_whose_task_writes_fails_and_writes_nothing(add_task, lie):
    make.message()
    make.conversation(age=days(31))
    before = [Conversation.objects.count(), *ChatMessage.objects.values_list("content", flat=True)]
    add_task("liar", lambda purge: LIES[lie]())

    run = dry_run("liar")

    assert (run.status, run.error.startswith("WriteInDryRun: A dry run must not write")) == ("failed", True)
    assert [Conversation.objects.count(), *ChatMessage.objects.values_list("content", flat=True)] == before


def test_a_task_that_swallows_the_refusal_fails_all_the_same(add_task):
    def swallow(purge):
        try:
            ChatMessage.objects.all().delete()
        except Exception:
            return {"deleted": 0}

    add_task("liar", swallow)

    assert dry_run("liar").error.startswith("WriteInDryRun")


@only_on_postgres
@pytest.mark.parametrize("wrap", [lambda write: write(), in_a_transaction])
def test_a_function_of_the_database_that_deletes_is_refused(add_task, wrap):
    make.message()
    sql("CREATE OR REPLACE FUNCTION wipe() RETURNS bigint LANGUAGE sql AS"
        " 'DELETE FROM chat_chatmessage RETURNING id'")  # fmt: skip
    add_task("liar", lambda purge: wrap(lambda: sql("SELECT wipe()")))

    run = dry_run("liar")

    assert (run.error.startswith("WriteInDryRun"), ChatMessage.objects.count()) == (True, 1)


@only_on_sqlite
def test_a_script_that_goes_past_the_wrapper_is_refused_by_sqlite(add_task):
    make.message()

    def script(purge):
        with connection.cursor() as cursor:
            cursor.executescript(DELETE)

    add_task("liar", script)

    assert (dry_run("liar").status, ChatMessage.objects.count()) == ("failed", 1)


def test_a_second_database_is_guarded_too(add_task, other):
    Keeper.objects.using(other).create(name="Noah")
    add_task("liar", lambda purge: Keeper.objects.using(other).all().delete())

    run = dry_run("liar")

    assert "'other'" in run.error
    assert Keeper.objects.using(other).count() == 1
    Keeper.objects.using(other).all().delete()  # nothing is left on its connection


def test_a_policy_that_deletes_while_it_is_asked_for_its_rows_is_refused(add_task):
    make.message()

    def rows(cutoff):
        ChatMessage.objects.all().delete()
        return Conversation.objects.filter(created_at__lt=cutoff)

    liar = Policy("liar", rows=rows)
    add_task("liar", lambda purge: {"rows": purge(liar)}, policies=())

    assert (dry_run("liar").status, ChatMessage.objects.count()) == ("failed", 1)


class DeletesAsItIsRead(dict):
    def items(self):
        ChatMessage.objects.all().delete()
        return super().items()


class DeletesAsItsFailuresAreRead(dict):
    @property
    def failures(self):
        ChatMessage.objects.all().delete()
        return []


@pytest.mark.parametrize("kind", [DeletesAsItIsRead, DeletesAsItsFailuresAreRead])
def test_a_result_that_deletes_while_it_is_read_is_refused(add_task, kind):
    make.message()
    add_task("liar", lambda purge: kind(rows=1))

    run = dry_run("liar")

    assert (run.error.startswith("WriteInDryRun"), ChatMessage.objects.count()) == (True, 1)


def test_nothing_is_left_on_the_connection(add_task):
    add_task("liar", lambda purge: ChatMessage.objects.all().delete())

    dry_run("liar")

    assert connection.execute_wrappers == []
    with transaction.atomic():
        make.message()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')")
            assert cursor.fetchone() == ("off",)


def purge_anew(purge):
    sql("BEGIN")
    purge(old_conversations)


@pytest.mark.parametrize("is_dry", [True, False])
@pytest.mark.parametrize("leave_open", [lambda purge: sql("BEGIN"), purge_anew])
def test_a_transaction_that_a_task_leaves_open_is_rolled_back_and_fails_the_run(add_task, leave_open, is_dry):
    add_task("liar", leave_open)

    run = execution.execute(execution.claim(make.run("liar", dry_run=is_dry).pk, 0))

    assert (run.status, run.lease_until) == ("failed", None)
    assert "left a transaction open on the database 'default'" in run.error
    with transaction.atomic():  # which its BEGIN would be in the way of
        make.message()


def test_a_transaction_left_open_on_a_second_database_is_rolled_back_too(add_task, other):
    add_task("liar", lambda purge: sql("BEGIN", other))

    assert "left a transaction open on the database 'other'" in dry_run("liar").error
    with transaction.atomic(using=other):
        Keeper.objects.using(other).create(name="Noah")


def test_a_cancelled_dry_run_that_left_a_transaction_open_is_cancelled(add_task):
    def cancelled(purge):
        sql("BEGIN")
        raise Cancelled

    add_task("liar", cancelled)

    assert dry_run("liar").status == "cancelled"
    with transaction.atomic():
        make.message()


def test_an_honest_task_reads_as_ever_in_a_dry_run(add_task):
    make.conversation(age=days(31), messages=2)
    seen = []

    def honest(purge):
        with transaction.atomic():
            seen.append(Conversation.objects.count())
        seen.extend(len(list(ChatMessage.objects.iterator(chunk_size=1))) for _ in range(1))
        return {"deleted_conversations": purge(old_conversations)}

    add_task("honest", honest, policy=old_conversations)

    run = dry_run("honest")

    assert (run.status, run.result, seen) == ("succeeded", {"deleted_conversations": 1}, [1, 2])
    assert (run.plan["conversations"]["rows"], run.planned_rows.count()) == (1, 1)


@pytest.mark.parametrize("statement", ["SELECT 1 WHERE 'a;b' = 'a;b'", "SELECT 'it''s; DELETE'"])
def test_a_semicolon_in_a_quoted_text_makes_no_second_statement(add_task, statement):
    add_task("honest", lambda purge: sql(statement))

    run = dry_run("honest")

    assert run.status == "succeeded", run.error


def test_the_log_lease_and_cancel_of_a_dry_run_are_written_meanwhile(add_task, settings):
    begun, go_on = threading.Event(), threading.Event()

    def slow(purge, checkpoint):
        purge(old_conversations)
        begun.set()
        assert go_on.wait(30)
        checkpoint()

    add_task("slow", slow, policy=old_conversations)
    run = control.request("slow", send=lambda run: None, dry_run=True)
    thread = threading.Thread(target=_carry_out, args=[run])
    thread.start()
    assert begun.wait(30)

    control.cancel(Run.objects.get(pk=run.pk))
    go_on.set()
    thread.join(30)

    run.refresh_from_db()
    assert (run.status, run.deleted) == ("cancelled", {"conversations": 0})
    assert LogLine.objects.filter(run=run).exists()


def _carry_out(run):
    try:
        execution.execute(execution.claim(run.pk, run.attempts))
    finally:
        connection.close()


def test_our_own_writes_pass_and_only_those():
    with guard.no_writes(), guard.bookkeeping():
        make.message()
    with pytest.raises(WriteInDryRun), guard.no_writes():
        make.message()

    assert ChatMessage.objects.count() == 1


def test_a_task_without_a_tool_to_replace_is_refused_a_dry_run(add_task):
    add_task("blunt", lambda checkpoint: ChatMessage.objects.all().delete())
    queued = make.run("blunt", dry_run=True)  # by a version of the site that knew no better
    make.message()

    run = execution.execute(execution.claim(queued.pk, 0))
    with pytest.raises(CannotPreview, match="takes none of purge, mail and measure"):
        control.request("blunt", send=lambda run: None, dry_run=True)
    with pytest.raises(CannotPreview):
        control.retry(run, send=lambda run: None)

    assert (run.status, ChatMessage.objects.count(), Run.objects.count()) == ("failed", 1, 1)


def test_a_task_may_be_declared_to_have_no_dry_run(add_task):
    add_task("papers", lambda purge: {}, has_dry_run=False)

    with pytest.raises(CannotPreview, match="declared with has_dry_run=False"):
        control.request("papers", send=lambda run: None, dry_run=True)
