"""A site with several databases: nothing is deleted from the wrong one, nothing decided by a replica."""

from itertools import cycle

import pytest
from django.core.checks import run_checks

from housekeeping.declared.policies import Policy
from housekeeping.engine import plans
from housekeeping.engine.purge import purge
from housekeeping.models import Handover, Hold, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import days
from tests.zoo import tasks
from tests.zoo.models import House, Keeper, Park

pytestmark = pytest.mark.django_db(transaction=True)


class WritesElsewhere:
    """Parks live in the other database."""

    def db_for_read(self, model, **hints):
        return "other" if model is Park else None

    db_for_write = db_for_read


class Children(WritesElsewhere):
    """Houses do."""

    def db_for_read(self, model, **hints):
        return "other" if model is House else None

    db_for_write = db_for_read


class Replica:
    """Everything is read from a replica, which lags behind."""

    def db_for_read(self, model, **hints):
        return "other"

    def db_for_write(self, model, **hints):
        return "default"


class RandomReplica(Replica):
    """Reads are spread over several databases, as in Django's documentation."""

    def __init__(self):
        self.answers = cycle(["other", "default"])

    def db_for_read(self, model, **hints):
        return next(self.answers)


def old_parks(alias):
    return Policy(
        "old_parks", lambda cutoff: Park.objects.using(alias).filter(opened_at__lt=cutoff), days(30)
    )


parks = next(policy for policy in tasks.POLICIES if policy.name == "parks")
keepers = next(policy for policy in tasks.POLICIES if policy.name == "keepers")


def carry_out(task, **options):
    run = control.request(task, send=lambda run: None, **options)
    return execution.execute(execution.claim(run.pk, run.attempts))


@pytest.fixture
def routed(settings, other):
    def route(router):
        settings.DATABASE_ROUTERS = [f"tests.engine.test_databases.{router.__name__}"]

    yield route
    settings.DATABASE_ROUTERS = []


@pytest.fixture
def twins(other):
    """A park of the same key in both databases, old enough to go."""
    park = Park.objects.using("default").create(opened_at=make.ago(days=40))
    Park.objects.using(other).create(pk=park.pk, opened_at=make.ago(days=40))
    return park


def left():
    return [Park.objects.using(alias).count() for alias in ("default", "other")]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_policy_that_names_another_database_deletes_there_alone(add_task, twins, dry_run):
    Keeper.objects.create(hired_at=make.ago(days=40))
    policy = old_parks("other")
    both = lambda purge: {"keepers": purge(keepers), "parks": purge(policy)}  # noqa: E731
    add_task("both", both, policies=(keepers, policy))

    run = carry_out("both", dry_run=dry_run)

    assert (run.status, run.result) == ("succeeded", {"keepers": 1, "parks": 1}), run.error
    assert (left(), Keeper.objects.count()) == (([1, 1], 1) if dry_run else ([1, 0], 0))
    assert [error.id for error in run_checks() if "'other'" in error.msg] == []


def test_so_do_a_purge_in_a_shell_and_a_policy_that_no_task_declares(add_task, twins, other):
    policy = old_parks("other")
    add_task("undeclared", lambda purge: {"parks": purge(policy)})

    assert carry_out("undeclared", dry_run=True).result == {"parks": 1}
    assert purge(policy) == 1
    assert left() == [1, 0]

    Park.objects.using(other).create(opened_at=make.ago(days=40))
    assert carry_out("undeclared").result == {"parks": 1}
    assert left() == [1, 0]
    assert not Handover.objects.using(other).exists()


@pytest.mark.parametrize("router", [WritesElsewhere, Children])
def test_rows_below_that_a_router_writes_elsewhere_are_refused(routed, twins, router):
    """Parks are apart from their houses. Nothing is purged across two databases."""
    routed(router)

    with tasks.declared():
        run = carry_out("parks")
        checked = {error.msg for error in run_checks() if error.id == "housekeeping.E003"}

    assert run.status == "failed"
    assert run.error.startswith("WrongDatabase: The policy 'parks' can't be carried out: zoo.")
    assert "is written to the database" in run.error
    assert left() == [1, 1]
    assert any("'parks'" in text for text in checked)


def test_the_default_database_may_be_named(add_task, twins):
    policy = old_parks("default")
    add_task("old_parks", lambda purge: {"parks": purge(policy)}, policy=policy)

    assert carry_out("old_parks").result == {"parks": 1}
    assert left() == [0, 1]


def test_a_replica_decides_nothing(routed, other):
    _, young, held = (Park.objects.create(opened_at=make.ago(days=age)) for age in (40, 1, 40))
    for park in (young, held):
        Park.objects.using(other).create(pk=park.pk, opened_at=make.ago(days=40))  # as it was before
    Hold.objects.create(model="zoo.Park", key=str(held.pk), reason="A dispute")
    routed(Replica)

    with tasks.declared():
        dry = carry_out("parks", dry_run=True)
        run = carry_out("parks", plan=dry)
        assert not [error for error in run_checks() if "'other'" in error.msg]

    assert (dry.plan["parks"]["rows"], dry.plan["parks"]["held_back"]) == (1, {"held": 1, "protected": 0})
    assert run.result == {"deleted_parks": 1}
    assert set(Park.objects.using("default")) == {young, held}
    assert plans.backlog(parks)["rows"] == 0


def test_a_router_that_reads_from_another_database_each_time_is_not_refused(routed, twins):
    routed(RandomReplica)

    with tasks.declared():
        checked = [error.id for _ in range(2) for error in run_checks() if "'other'" in error.msg]
        run = carry_out("parks")

    assert (checked, run.status, run.error) == ([], "succeeded", "")
    assert left() == [0, 1]


def test_the_brake_and_an_undo_go_by_the_database_that_is_written(routed, other, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    made = [Park.objects.create(name=f"{number}", opened_at=make.ago(days=40)) for number in range(3)]
    House.objects.create(code="a", park=made[0])
    Park.objects.using(other).bulk_create(Park(opened_at=make.ago(days=1)) for _ in range(9))
    routed(Replica)

    with tasks.declared():
        run = carry_out("parks")
        assert run.status == "held"
        run = control.approve(run, send=lambda run: None)
        run = execution.execute(execution.claim(run.pk, run.attempts))
        undo = control.undo(run, send=lambda run: None)
        undo = execution.execute(execution.claim(undo.pk, undo.attempts))

    assert run.result == {"deleted_parks": 3}
    assert undo.result["restored"] == {"zoo.Park": 3, "zoo.House": 1}
    assert (Park.objects.using("default").count(), House.objects.using("default").count()) == (3, 1)


def test_check_refuses_a_router_that_moves_our_own_tables(routed):
    class Moved:
        db_for_read = db_for_write = staticmethod(lambda model, **hints: "other" if model is Run else None)

    globals()["Moved"] = Moved
    routed(Moved)

    assert [error.id for error in run_checks() if "own tables to 'other'" in error.msg] == [
        "housekeeping.E006"
    ]
