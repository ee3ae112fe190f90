"""Rows in another database: holds, plans, the brake, files, calls, and batches that were left open."""

import threading
from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.files.base import ContentFile
from django.db import OperationalError, connection, connections
from django.utils import timezone

from housekeeping import is_held
from housekeeping.database.transactions import waiting, writing
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.engine import locks
from housekeeping.engine.apart import handover
from housekeeping.engine.effects import files
from housekeeping.engine.holds import wait_for_batches
from housekeeping.exceptions import BadHold
from housekeeping.models import Archive, FileToDelete, Handover, Hold, OpenCall, Received, Run
from housekeeping.runs import control, recovery
from housekeeping.runs.work import execution
from housekeeping.steering import holds
from housekeeping.tasks import verify_archives
from tests.make import ago, days
from tests.other_database import not_migrated
from tests.shapes.models import Anchor, Page
from tests.zoo.models import Animal, House, Park, Photo
from tests.zoo.tasks import carry_out, request, task_of, undo

pytestmark = pytest.mark.django_db(transaction=True)

calls: list = []
PARKS = Policy(
    "parks",
    lambda cutoff: Park.objects.filter(opened_at__lt=cutoff),
    days(30),
    "opened_at",
    on_deleted=calls.append,
    deletes_files=True,
)
PAGES = Policy("pages", lambda cutoff: Page.objects.filter(fetched_at__lt=cutoff), days(30), "fetched_at")


@pytest.fixture(autouse=True)
def _apart(zoo_apart, settings, add_task, tmp_path):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    settings.MEDIA_ROOT = tmp_path
    calls.clear()
    for policy in (PARKS, PAGES):
        add_task(policy.name, task_of(policy), policy=policy)


def parks(number, *, age=900):
    return [Park.objects.create(name=f"{age} {one}", opened_at=ago(days=age)) for one in range(number)]


def names():
    return sorted(park.name for park in Park.objects.all())


def killed_between_the_commits(run, **options):
    """Carry out a run that is killed after the commit of its first batch in the other database."""

    def die():
        raise KeyboardInterrupt

    def watch(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if sql.startswith("INSERT") and Received._meta.db_table in sql:  # the last one of the batch
            connections["other"].on_commit(die)
        return done

    with connection.execute_wrapper(watch), pytest.raises(KeyboardInterrupt):
        carry_out(run, **options)
    return Run.objects.get(pk=run.pk)


def test_a_hold_on_a_row_above_or_below_is_found_by_its_key():
    held, free = parks(2)
    animal = Animal.objects.create(house=House.objects.create(code="a", park=held))
    House.objects.create(code="b", park=free)
    hold = holds.add("zoo.Animal", animal.pk, reason="evidence")

    assert [is_held(park) for park in (held, free)] == [True, False]
    run = carry_out(request("parks", dry_run=True))
    assert run.plan["parks"]["held_back"] == {"held": 1, "protected": 0}
    assert carry_out(request("parks")).deleted == {"parks": 1}
    assert names() == [held.name]
    assert hold.key == str(animal.pk)

    with pytest.raises(BadHold):
        holds.add("zoo.Park", free.pk, reason="too late")
    holds.end(hold)
    assert carry_out(request("parks")).deleted == {"parks": 1}


def test_a_hold_in_a_tree_is_found_by_a_walk():
    roots = [Page.objects.create(url=f"https://{one}", fetched_at=ago(days=900)) for one in "ab"]
    below = [Page.objects.create(url=f"{root.pk}/x", parent=root, fetched_at=ago(days=9)) for root in roots]
    Anchor.objects.create(page=below[0])
    Hold.objects.create(model="shapes.Page", key=below[1].pk, reason="evidence")

    assert [is_held(page) for page in roots] == [False, True]
    run = carry_out(request("pages"))

    assert run.receipt["pages"]["rows"] == {"shapes.Page": 2, "shapes.Anchor": 1}
    assert {page.pk for page in Page.objects.all()} == {roots[1].pk, below[1].pk}
    assert undo(run).result["restored"] == {"shapes.Page": 2, "shapes.Anchor": 1}
    assert Page.objects.get(pk=below[0].pk).parent_id == roots[0].pk


def test_the_brake_stops_it_and_what_was_approved_goes_and_comes_back(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE, settings.HOUSEKEEPING_BRAKE_ROWS = 0.5, 1
    parks(3)

    run = carry_out(request("parks"))
    assert (run.status, run.plan["parks"]["tables"]["zoo.Park"]) == ("held", 3)
    late = parks(1, age=800)
    run = control.approve(run, send=lambda run: None)
    run = execution.execute(execution.claim(run.pk, run.attempts))

    assert (run.status, run.result, names()) == ("succeeded", {"deleted_parks": 3}, [late[0].name])
    assert {archived.database for archived in Archive.objects.all()} == {"other"}
    undone = undo(run)
    assert (undone.result["restored"], len(names())) == ({"zoo.Park": 3}, 4)
    assert Hold.objects.count() == 3


def nothing_open():
    return not (Handover.objects.using("other").exists() or Received.objects.exists())


def test_a_batch_left_open_is_brought_in_with_its_files_and_calls():
    [park] = parks(1)
    photo = Photo.objects.create(park=park)
    photo.file.save("roar.jpg", ContentFile(b"roar"))

    run = killed_between_the_commits(request("parks"))

    assert (names(), run.status, run.deleted) == ([], "queued", {})
    assert not any(model.objects.exists() for model in (Archive, FileToDelete, OpenCall))
    verify_archives()
    run.refresh_from_db()
    assert (run.deleted, run.receipt["parks"]["files"], calls) == ({"parks": 1}, 1, [])
    assert FileToDelete.objects.get().name == photo.file.name
    assert (OpenCall.objects.get().run, nothing_open()) == (run.pk, True)

    run = carry_out(run)
    assert (run.status, run.deleted, calls) == ("succeeded", {"parks": 1}, [[park.pk]])
    assert undo(run).result["restored"] == {"zoo.Park": 1, "zoo.Photo": 1}
    FileToDelete.objects.update(due_at=timezone.now())
    assert files.delete_due() == {"deleted_files": 0, "files_still_named": 1, "failed_files": 0}


def test_a_run_that_is_given_up_counts_its_last_batch():
    parks(2)
    run = killed_between_the_commits(request("parks"), batch_size=1)
    now = timezone.now()
    late = {"status": "running", "losses": 2, "lease_until": now - timedelta(seconds=1)}
    Run.objects.filter(pk=run.pk).update(**late)

    recovery.recover(now, send=lambda run: None)

    run.refresh_from_db()
    assert (run.status, run.deleted, run.archives.count()) == ("failed", {"parks": 1}, 1)
    assert run.receipt["parks"]["rows"] == {"zoo.Park": 1}


def test_a_policy_that_is_gone_by_now_leaves_no_batch_behind(monkeypatch):
    parks(2)
    run = killed_between_the_commits(request("parks"))

    with monkeypatch.context() as gone:
        gone.setattr(registry, "TASKS", {})
        verify_archives()

    assert Archive.objects.get().run_id == run.pk
    assert not Handover.objects.using("other").exists()


def test_what_two_processes_take_over_at_the_same_time_counts_once():
    parks(1)
    run = killed_between_the_commits(request("parks"))
    seen = []

    def receive(found, facts):
        seen.append(found.pk)

    assert handover.take_over("other", {handover.PURGE: receive}) == 1
    assert handover.take_over("other", {handover.PURGE: receive}) == 0
    assert len(seen) == 1
    assert run.deleted == {}


def test_a_process_that_dies_before_it_forgets_leaves_nothing_that_counts_again():
    parks(1)
    run = carry_out(request("parks"))
    made = Handover.objects.using("other").create(kind=handover.PURGE, run=run.pk, policy="parks", facts=b"")
    Received.objects.create(id=made.pk, database="other")

    verify_archives()

    run.refresh_from_db()
    assert run.deleted == {"parks": 1}
    assert nothing_open()


def test_a_database_without_the_table_is_refused_before_anything_goes():
    parks(1)
    with not_migrated():
        run = carry_out(request("parks"))
        found = [one for one in run_checks() if one.id == "housekeeping.W009"]

    assert run.status == "failed"
    assert "migrate housekeeping --database=other" in run.error
    assert [one.hint for one in found if "migrate housekeeping --database=other" in one.hint]
    assert len(names()) == 1


def test_so_is_an_undo_into_it():
    parks(1)
    run = carry_out(request("parks"))
    with not_migrated():
        undone = undo(run)

    assert undone.status == "failed"
    assert undone.error.startswith("NotMigrated: The database other lacks the table of handovers")
    assert names() == []
    assert undo(run).result["restored"] == {"zoo.Park": 1}


def test_decisions_are_read_from_the_writer_while_a_replica_lags(settings):
    settings.DATABASE_ROUTERS = ["tests.engine.apart.test_bookkeeping.Lagging"]
    park = Park.objects.using("other").create(opened_at=ago(days=1))
    Park.objects.using("default").create(pk=park.pk, opened_at=ago(days=900))  # as it was before

    dry, run = carry_out(request("parks", dry_run=True)), carry_out(request("parks"))

    assert (dry.result, run.result) == ({"deleted_parks": 0}, {"deleted_parks": 0})
    assert Park.objects.using("other").count() == Park.objects.using("default").count() == 1


class Lagging:
    """The zoo is written to the other database, and read from a replica of it, here the default one."""

    def db_for_read(self, model, **hints):
        return "default"

    def db_for_write(self, model, **hints):
        return "other" if model._meta.app_label == "zoo" or model in (Page, Anchor) else None


def test_no_hold_is_made_between_the_two_commits():
    [park] = parks(1)
    refused = []

    def hold_at_once():
        try:
            with waiting(0) if connection.vendor == "sqlite" else nullcontext(), writing():
                locks.set_locally({"lock_timeout": "100ms"})
                wait_for_batches()
        except OperationalError as error:
            refused.append(error)
        finally:
            connection.close()

    def try_to_hold():
        maker = threading.Thread(target=hold_at_once)
        maker.start()
        maker.join()

    def watch(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if sql.startswith("INSERT") and Received._meta.db_table in sql:
            connections["other"].on_commit(try_to_hold)
        return done

    with connection.execute_wrapper(watch):
        run = carry_out(request("parks"))

    assert (run.deleted, len(refused)) == ({"parks": 1}, 1)
    assert not Park.objects.filter(pk=park.pk).exists()
