"""Keys that get a default, keys that keep a row, and keys that the database does not look after."""

import pytest
from django.core.checks import run_checks
from django.db import connection

from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade
from housekeeping.engine.purge import held_back, preview
from housekeeping.runs import control
from tests import make
from tests.make import days
from tests.shapes.models import Bill, Job, Letter, Plan, Team, Visit
from tests.zoo.tasks import carry_out

pytestmark = pytest.mark.django_db(transaction=True)

teams = Policy("teams", lambda cutoff: Team.objects.filter(founded_at__lt=cutoff), days(30), "founded_at")


@pytest.fixture(autouse=True)
def _task(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    registry.task("teams", policy=teams)(delete_teams)
    yield
    del registry.TASKS["teams"]


def delete_teams(purge):
    return {"deleted_teams": purge(teams)}


@pytest.fixture
def team():
    """An old one, beside the first, which jobs fall back to."""
    Team.objects.create(id=1, name="first", founded_at=make.ago(days=50))
    return Team.objects.create(id=2, name="old", founded_at=make.ago(days=40))


def purge():
    run = carry_out(control.request("teams", send=lambda run: None))
    assert run.status == "succeeded", run.error
    return run


def undo(run):
    undone = carry_out(control.undo(run, send=lambda run: None))
    assert undone.status == "succeeded", undone.error
    return undone


@pytest.mark.parametrize("kind", [Job, Plan])
def test_a_key_gets_its_default_and_an_undo_sets_it_again(team, kind):
    row = kind.objects.create(team=team)

    run = purge()
    row.refresh_from_db()
    assert row.team.name == {Job: "first", Plan: "nobody"}[kind]
    assert run.result == {"deleted_teams": 1}
    undo(run)

    row.refresh_from_db()
    assert row.team == team


def test_a_key_that_somebody_has_set_since_stays(team):
    job = Job.objects.create(team=team)
    run = purge()
    Job.objects.update(team=Team.objects.create(id=3, name="new"))

    undone = undo(run)

    job.refresh_from_db()
    assert job.team.name == "new"
    assert undone.result["not_restored"] == {
        "shapes.Job.team_id: its row is gone, or was set to another since": 1
    }


def test_a_row_that_others_fall_back_to_stays(team):
    assert preview(teams) == 1

    assert purge().result == {"deleted_teams": 1}

    assert list(Team.objects.all()) == [Team(id=1)]
    assert held_back(teams, cutoff=make.ago(days=30))["protected"] == 1


def test_no_row_is_made_to_fall_back_to_if_nothing_falls(team):
    purge()

    assert not Team.objects.filter(name="nobody").exists()


def test_a_key_with_do_nothing_keeps_the_row(team):
    Bill.objects.create(team=team)

    assert (preview(teams), purge().result) == (0, {"deleted_teams": 0})


@pytest.mark.parametrize("is_queued", [True, False])
def test_a_key_with_an_on_delete_of_the_project_keeps_the_row(team, is_queued):
    letter = Letter.objects.create(team=team, is_queued=is_queued)

    assert (preview(teams), purge().result) == (0, {"deleted_teams": 0})
    assert held_back(teams, cutoff=make.ago(days=30))["protected"] == 2
    letter.delete()
    assert purge().result == {"deleted_teams": 1}


def test_the_check_names_it():
    told = [one.msg for one in run_checks() if one.id == "housekeeping.W010"]

    assert told == [
        "The policy 'teams' keeps rows of shapes.Team that shapes.Letter.team refers to: its on_delete"
        " (gone_if_queued) decides row by row."
    ]


def test_rows_whose_key_the_database_does_not_look_after_go_along_and_come_back(team):
    visit = Visit.objects.create(team=team)

    run = purge()
    assert not Visit.objects.exists()
    undo(run)

    assert Visit.objects.get(team=team) == visit


def test_nothing_comes_back_to_a_stranger(team):
    Visit.objects.create(team=team)
    run = purge()
    Team.objects.create(pk=team.pk, name="stranger")

    undone = undo(run)

    assert not Visit.objects.exists()
    assert undone.result["not_restored"]["shapes.Visit: the row that it refers to is gone"] == 1


def test_the_archives_stay_readable_after_a_rename_of_a_default(team):
    Job.objects.create(team=team)
    run = purge()

    [emptied] = run.archives.exclude(emptied="")

    assert emptied.schema[1:] == [["team_id", connection_type()], ["=", "1"]]
    assert cascade.problems(Team) == []


def connection_type():
    return Job._meta.get_field("team").db_type(connection)
