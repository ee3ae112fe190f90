import logging
import traceback

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models import ProtectedError

from chat.models import User
from housekeeping.database import discreet
from housekeeping.declared import registry
from housekeeping.declared.steps import TaskResult
from housekeeping.queue.huey import ThrottledErrorLog
from housekeeping.runs.work import execution
from tests import make
from tests.zoo.models import Animal, Contract, House, Loan, Park

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "secret@example.com"
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="as PostgreSQL says it")
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="as SQLite says it")


def error_of(statement):
    """What the database answers to a statement that holds a secret."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, [SECRET] * statement.count("%s"))
            cursor.fetchall()
    except DatabaseError as error:
        return error
    raise AssertionError("it was carried out")


@on_postgresql
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("INSERT INTO chat_user (username) VALUES (%s)", "null value in column"),
        ("UPDATE chat_user SET email = %s", 'unique constraint "chat_user_email'),
        ("UPDATE chat_user SET last_login = 'now', id = 1 WHERE %s > ''", 'constraint "chat_user_pkey"'),
        ("SELECT %s::integer", "invalid input syntax for type integer"),
        ("SELECT concat('{', %s::text)::json", "invalid input syntax for type json"),
        ("SELECT %s::timestamptz", "invalid input syntax for type timestamp with time zone"),
        ("SELECT concat('9999999999', left(%s, 0))::integer", 'value "…" is out of range for type integer'),
        ("SELECT * FROM %s nowhere", "syntax error"),
        ("DO $$ BEGIN RAISE 'no room for %%', %s; END $$", "left out"),
        ("DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = %s, ERRCODE = '23514'; END $$", "left out"),
        ("SELECT 1 / (0 * length(%s))", "division by zero"),
    ],
)
def test_an_error_of_postgresql_tells_no_value(statement, said):
    for _ in range(2):
        make.user()

    error = discreet.clean(error_of(statement))

    told = "".join(traceback.format_exception(error))
    assert said in told
    assert "secret" not in told
    assert "9999999999" not in told


@on_postgresql
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("'infinity'::timestamp", "timestamp too large (after year 10K)"),
        ("'4000-01-01 BC'::date", "date too small (before year 1)"),
        ("'24:00'::time", "can't parse time"),
    ],
)
def test_a_value_that_the_client_of_postgresql_can_t_read_is_not_told(value, said):
    error = discreet.clean(error_of(f"SELECT {value}"))

    assert str(error) == str(error.__cause__) == said


@on_sqlite
def test_a_text_that_sqlite_can_t_decode_is_not_told():
    error = discreet.clean(error_of("SELECT CAST(CAST(%s || char(10) AS BLOB) || x'ff' AS TEXT) AS title"))

    assert str(error) == str(error.__cause__) == "Could not decode to UTF-8 column 'title'"


@pytest.mark.parametrize("value", ["secret", "it's' secret", "line\nsecret", "' that does' secret"])
def test_a_key_that_django_found_to_lead_nowhere_is_not_told(value):
    text = (
        "The row in table 'a' with primary key '{}' has an invalid foreign key:"
        " a.b contains a value '{}' that does not have a corresponding value in c.id."
    )

    error = discreet.clean(IntegrityError(text.format(value, value)))

    assert str(error) == text.format("…", "…")


def write_twice():
    for name in ("ada", "bob"):
        User.objects.create(username=name, email=SECRET)


@pytest.fixture
def failing_task():
    registry.task()(write_twice)
    yield "write_twice"
    del registry.TASKS["write_twice"]


def test_neither_a_failed_run_nor_its_log_holds_a_value(failing_task, caplog):
    run = make.run(failing_task)

    run = execution.execute(execution.claim(run.pk, run.attempts))

    kept = [run.error, run.traceback, *run.log_lines.values_list("text", flat=True), caplog.text]
    assert "unique constraint" in run.error.lower()
    assert "in write_twice" in run.traceback
    assert "secret" not in "".join(kept)


def test_a_failure_that_a_task_hands_over_is_cleaned_as_one_that_it_raises(add_task):
    def hand_over():
        result = TaskResult()
        try:
            write_twice()
        except DatabaseError as error:
            result.failures = [error]
        return result

    add_task("hand_over", hand_over)
    run = make.run("hand_over")

    run = execution.execute(execution.claim(run.pk, run.attempts))

    assert "unique constraint" in run.error.lower()
    assert "secret" not in run.error + run.traceback


@pytest.mark.parametrize("protecting", [Contract, Loan])
def test_an_error_about_protected_rows_names_none_of_them(add_task, caplog, protecting):
    park = Park.objects.create()
    house = House.objects.create(code="a", park=park)
    row = protecting.objects.create(**{
        Contract: {"house": house},
        Loan: {"animal": Animal.objects.create(park=park)},
    }[protecting])  # fmt: skip
    add_task("raze", lambda: [House.objects.all().delete(), Animal.objects.all().delete()])

    run = make.run("raze")
    run = execution.execute(execution.claim(run.pk, run.attempts))

    kept = [run.error, run.traceback, *run.log_lines.values_list("text", flat=True), caplog.text]
    assert "Cannot delete some instances of model" in run.error
    assert str(row) not in "".join(kept)


def test_what_is_clean_stays_as_it_is():
    error = discreet.clean(ProtectedError("Cannot delete", {User(pk=1, username="secret")}))

    assert (error.args, discreet.clean(error).args) == (("Cannot delete",), ("Cannot delete",))


def test_an_error_whose_detail_changes_is_logged_once(caplog):
    error_log = ThrottledErrorLog()

    for number in range(5):
        address = f"secret{number}@example.com"
        make.user(email=address)
        try:
            User.objects.create(username=f"again{number}", email=address)
        except DatabaseError as error:
            error_log.log_throttled("write the heartbeat", error)

    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


def test_two_errors_by_turns_are_logged_once_each(caplog):
    error_log = ThrottledErrorLog()

    for _ in range(3):
        error_log.log_throttled("look at the schedules", ValueError("one"))
        error_log.log_throttled("look at the schedules", OSError("another"))
    error_log.log_recovered("look at the schedules")

    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "WARNING"]


@on_postgresql
def test_the_filter_cleans_whatever_a_record_holds(caplog):
    caplog.handler.addFilter(discreet.Filter())
    log = logging.getLogger("django.request")

    log.error("It failed: %s", error_of("SELECT %s::integer"))
    log.error("It failed", exc_info=error_of("SELECT %s::integer"))
    log.error(error_of("SELECT %s::integer"))

    assert caplog.text.count("invalid input syntax for type integer") >= 3
    assert "secret" not in caplog.text


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError


def test_a_sentence_is_the_kind_and_the_first_line_of_an_error():
    assert discreet.sentence(ValueError("a mistake\nand its story")) == "ValueError: a mistake"
    assert discreet.sentence(KeyError()) == "KeyError"
    assert discreet.sentence(Speechless()) == "Speechless"
