"""What an account is called, and where that is looked for."""

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.utils import timezone

from housekeeping import personal_names
from housekeeping.declared import names, personal
from housekeeping.erasure import people, requests, work
from housekeeping.models import LogLine
from tests import make
from tests.erasure import traces
from tests.erasure.people import NAME

pytestmark = pytest.mark.django_db(transaction=True)


def lines_after_erasing(*lines, **account):
    make.user(username=NAME, **account)
    run = make.run("stats", status="succeeded")
    for line in lines:
        LogLine.objects.create(run=run, logged_at=timezone.now(), level="INFO", text=line)
    erasure = work.carry_out(requests.store(people.find(NAME)))
    stored = LogLine.objects.order_by("pk").values_list("text", flat=True)
    return [text.replace(erasure.pseudonym, "PSEUDONYM") for text in stored]


@pytest.mark.parametrize(
    ("account", "line"),
    [
        ({"last_name": "Featherstonehaugh"}, "Mailed Featherstonehaugh."),
        ({"first_name": "Ada", "last_name": "Featherstonehaugh"}, "Dear Mrs Featherstonehaugh"),
        ({"first_name": "Anna-Maria Müller"}, "Mailed Anna-Maria Müller."),
        ({"first_name": "Anna-Maria Müller", "last_name": "PhD"}, "Mailed Anna-Maria Müller."),
        ({"first_name": "Li", "last_name": "Wu"}, "Mailed Li Wu, then Wu Li and WU, LI"),
        ({"first_name": "Zacharias"}, "Mailed Zacharias."),
    ],
)
def test_each_full_name_is_replaced(account, line):
    [new] = lines_after_erasing(line, **account)

    assert "PSEUDONYM" in new
    longest = max(account.values(), key=len)
    assert traces.of(*[longest][: len(longest) > 4]) == []


def test_names_that_many_people_share_stay():
    lines = ("Mailed Thomas Smith.", "5 rows deleted", "Mailed Wu.")

    assert lines_after_erasing(*lines, first_name="Thomas", last_name="Rows") == [*lines]
    assert names.full_names({"first_name": "Jo", "last_name": "Wu"}) == ("Jo Wu", "Wu, Jo", "Wu Jo")


def test_a_column_with_a_whole_name_is_found_by_what_it_is_called():
    for column in ("full_name", "name", "display_name"):
        assert names.full_names({column: " Jo  Wu "}) == ("Jo Wu",)
    assert names.full_names({"known_as": "Zacharias"}) == ()


def test_a_site_declares_other_columns(monkeypatch):
    monkeypatch.setattr(personal, "_with_names", {})

    personal_names("password")

    assert names.full_names({"password": "Zacharias", "email": "x@y.example"}) == ("Zacharias",)
    with pytest.raises(FieldDoesNotExist):
        personal_names("known_as")
