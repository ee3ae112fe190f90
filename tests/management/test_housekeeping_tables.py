"""``housekeeping_tables``: the list, one table, a policy for it, and measuring now."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from housekeeping.models import TableSize
from tests import make
from tests.make import days
from tests.management.commands import output

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def grown():
    make.message(created_at=NOW - days(400))
    make.message()
    output("housekeeping_tables", "--measure")
    TableSize.objects.filter(table="chat_chatmessage").update(bytes=10 * 1024**2, is_estimate=True)
    TableSize.objects.filter(table="housekeeping_tally").update(bytes=9 * 1024**2)
    for size in TableSize.objects.filter(table__in=["chat_chatmessage", "housekeeping_tally"]):
        before = {"day": size.day - days(10), "measured_at": size.measured_at - days(10)}
        TableSize.objects.create(table=size.table, bytes=5 * 1024**2, rows=0, **before)


def test_without_a_measurement_it_says_how_to_get_one():
    assert "--measure does it now" in output("housekeeping_tables")


def test_it_measures_and_lists_every_table_the_largest_first(grown):
    lines = output("housekeeping_tables", "--until", "20MB").splitlines()

    assert lines[0].split() == ["table", "rows", "size", "a", "day", "until", "policies"]
    assert " ".join(lines[1].split()).startswith(
        "chat_chatmessage ~2 10.0 MB +512.0 KB 20 days messages, (conversations), (users)"
    )
    assert lines[2].startswith("housekeeping_tally !")
    assert " in the database" in lines[-2]
    assert "20.0 MB in " in lines[-2]
    assert lines[-1].startswith("Measured at ")


def test_one_table_has_the_ages_of_its_rows(grown):
    told = output("housekeeping_tables", "chat_chatmessage")

    assert "chat_chatmessage (chat.ChatMessage)" in told
    assert "growth: +512.0 KB a day" in told
    assert "policies: messages, (conversations), (users)" in told
    assert "older by created_at: 1 (30 d), 1 (90 d), 1 (180 d), 1 (365 d), 0 (730 d), 0 (1825 d)" in told


def test_the_block_stands_alone_on_the_standard_output(grown):
    out, notes = StringIO(), StringIO()

    call_command(
        "housekeeping_tables", "chat_chatmessage", "--policy", "--days", "90", stdout=out, stderr=notes
    )

    compile(out.getvalue(), "tasks.py", "exec")
    assert "retention=timedelta(days=90)" in out.getvalue()
    assert "# This belongs in chat/tasks.py." in notes.getvalue()
    assert "# Its first run would delete 1 row of chat.ChatMessage." in notes.getvalue()


def test_json_is_that_of_the_api(grown, api):
    for path, words in (("tables?until=20MB", ["--until", "20MB"]), ("tables/chat_user", ["chat_user"])):
        told = json.loads(output("housekeeping_tables", *words, "--json"))

        assert told == api.get(f"/api/admin/scheduler/{path}").json()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--until", "ten"], "Write a size such as 500 MB, 10 GB or 2 TB."),
        (["nope"], "There is no table 'nope', or it has not been measured yet."),
        (["chat_user", "--policy", "--column", "email"], "'email' is not one of the columns date_joined"),
        (["chat_user", "--policy", "--days", "0"], "Enter whole days, from 1 to"),
        (["django_migrations", "--policy"], "No model of this project has this table."),
        (["--policy"], "Name the table that the policy is for."),
    ],
)
def test_what_can_t_be_done_is_one_clear_line(grown, words, text):
    with pytest.raises(CommandError, match=text.replace("(", r"\(")):
        output("housekeeping_tables", *words)
