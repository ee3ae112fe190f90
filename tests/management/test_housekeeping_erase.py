"""``housekeeping_erase``: what it shows, what it asks, and the certificate that it prints."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from chat.models import User
from housekeeping.models import Act, Erasure, Hold, Run
from tests import make
from tests.management.commands import output

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _grace():
    grace = make.user(username="grace", email="grace@example.com")
    make.conversation(user=grace, messages=2)


def test_it_erases_here_and_now_and_prints_the_certificate():
    told = output("housekeeping_erase", "grace@example.com", "--confirm", "grace")

    erasure = Erasure.objects.get()
    assert erasure.state == "finished"
    assert f"Erased; the person is {erasure.pseudonym} from now on." in told
    assert "2 deleted: chat.ChatMessage" in told
    assert "not reached: Backups" in told
    assert f"SHA-256 {erasure.digest}" in told
    assert not User.objects.filter(username="grace").exists()
    assert Act.objects.filter(what="erase", target=erasure.pseudonym).exists()
    assert Run.objects.get(task="erasures").status == "succeeded"


def test_as_json():
    facts = json.loads(output("housekeeping_erase", "grace", "--confirm", "grace", "--json"))

    assert facts["state"] == "finished"
    assert facts["certificate"]["deleted"]["chat.ChatMessage"] == 2


def test_a_dry_run_shows_what_would_go():
    err = StringIO()
    call_command("housekeeping_erase", "grace", "--dry-run", stdout=StringIO(), stderr=err)

    assert "The account 'grace' <grace@example.com> with the key " in err.getvalue()
    assert "  1 row of chat.User" in err.getvalue()
    assert "  2 rows of chat.ChatMessage" in err.getvalue()
    assert json.loads(output("housekeeping_erase", "grace", "--dry-run", "--json"))["rows"]["chat.User"] == 1
    assert User.objects.filter(username="grace").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["grace"], "Nobody can be asked here"),
        (["grace", "--confirm", "ada"], "Type the name of the account, grace"),
        (["nobody", "--confirm", "nobody"], "There is no account 'nobody'"),
        (["gr\udcffce", "--dry-run"], "There is no account"),  # bytes of a shell that are no UTF-8
    ],
)
def test_what_is_refused(words, why, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO())

    with pytest.raises(CommandError, match=why):
        output("housekeeping_erase", *words)
    assert not Erasure.objects.exists()


def test_on_a_terminal_it_asks(monkeypatch):
    class Terminal(StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("grace\n"))

    assert "Erased" in output("housekeeping_erase", "grace")


def test_a_held_row_stops_it():
    Hold.objects.create(model="chat.User", key=User.objects.get(username="grace").pk, reason="a dispute")

    with pytest.raises(CommandError, match="a dispute"):
        output("housekeeping_erase", "grace", "--confirm", "grace")
    assert not Erasure.objects.exists()


def test_one_that_was_requested_before_is_carried_out_with_it():
    from housekeeping.erasure import people, requests

    make.user(username="bob")
    requests.store(people.find("bob"))

    output("housekeeping_erase", "grace", "--confirm", "grace")

    assert set(Erasure.objects.values_list("state", flat=True)) == {"finished"}
