"""The pages of a site while a database of its rows can't be reached."""

import html

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.urls import reverse

from housekeeping.declared.personal import PersonalRows
from housekeeping.erasure import people
from housekeeping.models import Erasure, Hold
from tests.erasure.people import NAME, grace, personal_rows
from tests.make import ago
from tests.zoo import tasks
from tests.zoo.models import Park
from tests.zoo.tasks import carry_out, request

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unreachable(other, settings):
    """Old parks are planned to go and on hold, and then nothing answers."""
    settings.DATABASE_ROUTERS = ["tests.other_database.Zoo"]
    settings.HOUSEKEEPING_BRAKE_SHARE = 1

    def refuse(execute, sql, *facts):
        raise OperationalError("connection refused")

    with tasks.declared():
        held, _ = (Park.objects.create(name=f"park {one}", opened_at=ago(days=900)) for one in range(2))
        planned = carry_out(request("parks", dry_run=True))
        hold = Hold.objects.create(model="zoo.Park", key=str(held.pk), reason="evidence")
        with connections[other].execute_wrapper(refuse):
            yield planned, hold
    settings.DATABASE_ROUTERS = []


@pytest.fixture
def away(unreachable, monkeypatch):
    """A park in the database that is away. Parks are about people, such as Grace."""
    monkeypatch.setattr(connections["other"], "is_usable", lambda: False)
    grace()
    with personal_rows(PersonalRows(Park, names=["name"], module=__name__)):
        yield unreachable[1].key


AWAY = "The database other can't be reached. Please try again later."


def test_a_hold_on_a_row_there_is_refused_with_the_reason(away, api, dashboard):
    wanted = {"model": "zoo.Park", "key": away, "reason": "evidence"}

    answered = api.post("/api/admin/scheduler/holds", wanted, format="json")
    page = dashboard.post(reverse("housekeeping:hold-add"), wanted)
    with pytest.raises(CommandError) as why:
        call_command("housekeeping_holds", "add", "zoo.Park", away, "--reason", "evidence")

    assert (answered.status_code, answered.json()["message"]) == (503, AWAY)
    assert (page.status_code, str(why.value)) == (503, AWAY)
    assert AWAY in html.unescape(page.content.decode())
    assert Hold.objects.count() == 1  # of before


def test_so_is_the_erasure_of_a_person_who_may_have_rows_there(away, api, dashboard):
    answered = api.post("/api/admin/scheduler/erasures", {"account": NAME, "dry_run": True}, format="json")
    page = dashboard.post(reverse("housekeeping:erasure-begin"), {"account": NAME})
    with pytest.raises(CommandError) as why:
        call_command("housekeeping_erase", NAME, "--confirm", NAME)

    assert (answered.status_code, answered.json()["message"]) == (503, AWAY)
    assert (page.status_code, str(why.value)) == (503, AWAY)
    assert AWAY in html.unescape(page.content.decode())
    assert not Erasure.objects.exists()


def test_an_erasure_that_was_requested_before_is_not_stopped_but_waits(away):
    facts = {"pseudonym": "erased-1", "model": "chat.User", "requested_at": ago()}
    person = people.as_json(people.find(NAME))
    Erasure.objects.create(person=person, **facts)

    run = carry_out(request("erasures"))

    assert run.status == "failed"
    assert Erasure.objects.get().state == "requested"


def test_check_names_it(away):
    [told] = [one for one in run_checks() if one.id == "housekeeping.W003"]

    assert told.msg.startswith("The database 'other' has rows that policies delete, and can't be reached: ")


def test_pages_show_what_the_bookkeeping_has(unreachable, dashboard):
    planned, hold = unreachable

    for page in ("overview", "holds", "runs", "tables"):
        assert dashboard.get(reverse(f"housekeeping:{page}")).status_code == 200, page
    run = dashboard.get(reverse("housekeeping:run", args=[planned.pk])).content.decode()
    holds = dashboard.get(reverse("housekeeping:holds")).content.decode()

    assert "gone</span>" not in run
    assert hold.key in holds
    assert "row is gone" not in holds


def test_a_purge_fails_with_the_reason_and_check_warns(unreachable):
    run = carry_out(request("parks"))

    assert (run.status, run.error) == ("failed", "OperationalError: connection refused")
    assert [one.id for one in run_checks() if "refused" in one.msg] == ["housekeeping.W003"]
