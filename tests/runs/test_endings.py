import ast
import logging
import random
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection
from django.db.models import Sum
from django.utils import timezone
from prometheus_client import generate_latest

from housekeeping.declared import registry
from housekeeping.exceptions import HousekeepingError
from housekeeping.models import Run, Tally
from housekeeping.monitoring import metrics
from housekeeping.runs import control, endings, recovery, ticks
from housekeeping.runs.work import execution
from tests import make
from tests.make import ADA, days

pytestmark = pytest.mark.django_db(transaction=True)

HOUSEKEEPING = Path(__file__).parents[2] / "housekeeping"
ENDS = {"SUCCEEDED", "FAILED", "CANCELLED", "MISSED"}


def say_nothing(run):
    """A queue that takes every message."""


# --- One door -----------------------------------------------------------------------------


def writes_an_end(node):
    """Does a piece of code set a run's ``finished_at``, or its status to one that ends it?"""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("update", "create", "Run"):
        given = {word.arg: word.value for word in node.keywords}
        return "finished_at" in given or getattr(given.get("status"), "attr", "") in ENDS
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = [part for target in targets for part in ast.walk(target)]
    return any(getattr(name, "attr", "") == "finished_at" for name in names)


def test_a_run_is_ended_in_one_module_alone():
    code = [path for path in HOUSEKEEPING.rglob("*.py") if path.parent.name != "migrations"]

    ending = {path.stem for path in code if any(map(writes_an_end, ast.walk(ast.parse(path.read_text()))))}

    assert ending == {"endings"}


def test_a_held_run_that_another_replaces_is_counted(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    first, second = (execution.execute(execution.claim(make.run().pk, 0)) for _ in range(2))

    assert [Run.objects.get(pk=run.pk).status for run in (first, second)] == ["cancelled", "held"]
    assert Tally.objects.get().status == "cancelled"


def test_a_message_that_nobody_can_carry_out_is_counted():
    execution.reject(make.Run().pk, "shop.tasks.send_invoice")

    assert Tally.objects.get().task == "shop.tasks.send_invoice"


def test_a_held_run_that_its_undo_cancels_is_counted():
    purged = make.run(status="held")
    make.archive(purged)

    execution.execute(execution.claim(make.run(undo_of=purged).pk, 0))

    purged.refresh_from_db()
    assert (purged.status, Tally.objects.get(status="cancelled").runs) == ("cancelled", 1)


def test_a_run_that_has_ended_ends_no_second_time():
    run = make.run(status="succeeded")

    assert not endings.end(run, Run.Status.FAILED, rows=Run.objects.all())
    assert not Tally.objects.exists()


# --- Nothing keeps a run from ending ------------------------------------------------------


@contextmanager
def no_tallies():
    """The table of tallies is out of the way."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE housekeeping_tally RENAME TO elsewhere")
        yield
        cursor.execute("ALTER TABLE elsewhere RENAME TO housekeeping_tally")


def test_a_tally_that_can_not_be_written_is_made_up_for():
    run = make.run()
    with no_tallies():
        control.cancel(run, by=ADA)

    recovery.recover(timezone.now(), send=say_nothing)
    recovery.recover(timezone.now(), send=say_nothing)

    assert run.status == "cancelled"
    assert [(tally.status, tally.runs) for tally in Tally.objects.all()] == [("cancelled", 1)]


def carry_out(run, **options):
    return execution.execute(execution.claim(run.pk, run.attempts), **options)


@pytest.fixture
def declare():
    """Declare the task ``odd`` for the length of a test."""
    yield registry.task("odd")
    registry.TASKS.pop("odd", None)


def test_a_run_ends_though_the_clock_goes_back_while_it_is_under_way():
    make.conversation(age=days(40))
    claimed = execution.claim(make.run().pk, 0)
    claimed.started_at = make.ago(minutes=-10)
    claimed.save()

    run = execution.execute(claimed)

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 1})
    assert (run.duration, Tally.objects.get().duration_ms) == (timedelta(), 0)


@pytest.mark.parametrize("result", [{"a": "\0"}, {"b": ["\ud800"]}, {"\0": 1}], ids=ascii)
def test_a_result_that_no_database_takes_is_stored_as_far_as_it_can_be(declare, result):
    declare(lambda: result)

    run = carry_out(make.run("odd"))

    assert (run.status, len(run.result)) == ("succeeded", 1)


def test_an_error_that_no_database_takes_fails_the_run(declare):
    def fail():
        raise ValueError("a NUL: \0")

    declare(fail)

    assert carry_out(make.run("odd")).error == "ValueError: a NUL: \N{REPLACEMENT CHARACTER}"


def test_an_error_that_has_no_text_fails_the_run(declare):
    class Mute(Exception):
        __str__ = None

    def fail():
        raise Mute

    declare(fail)

    run = carry_out(make.run("odd"))

    assert (run.status, run.error) == ("failed", "Mute")


def test_a_line_in_the_log_that_can_not_be_written_fails_no_run(declare):
    def misspeak():
        logging.getLogger("housekeeping").info("%d rows", "many")
        logging.getLogger("housekeeping").info("a NUL: \0")
        return {}

    declare(misspeak)
    logging.raiseExceptions, before = False, logging.raiseExceptions
    run = carry_out(make.run("odd"))
    logging.raiseExceptions = before

    assert run.status == "succeeded"
    assert run.log_lines.filter(text="a NUL: \N{REPLACEMENT CHARACTER}").exists()


def test_a_result_that_can_not_be_handed_on_fails_no_run(declare):
    declare(lambda: {"rows": 1})

    def refuse(run, result):
        raise ValueError("no")

    assert carry_out(make.run("odd"), publish=refuse).status == "succeeded"


def test_a_run_that_can_not_be_taken_back_holds_up_no_other():
    silent = {"status": "running", "attempts": 1, "lease_until": make.ago(seconds=1)}
    stuck, taken_back = make.run("users", **silent), make.run("conversations", **silent)
    waiting, sent = make.run("stats", sent_at=None), []

    with make.refusal("UPDATE", of=stuck), pytest.raises(IntegrityError, match="refused"):
        recovery.recover(timezone.now(), send=sent.append)

    assert set(sent) == {taken_back, waiting}


# --- Tallies and rows ---------------------------------------------------------------------


class History:
    """Steps that a site's runs take, chosen by chance; some are refused, as they would be."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = timezone.now()

    def step(self):
        steps = [self.ask, self.carry_out, self.carry_out, self.cancel, self.approve, self.undo, self.retry]
        steps += [self.fail, self.lose, self.miss, self.reject, self.hand_back]
        with suppress(HousekeepingError):
            self.random.choice(steps)()

    def any(self, *statuses):
        found = list(Run.objects.filter(status__in=statuses))
        if not found:
            raise HousekeepingError
        return self.random.choice(found)

    def ask(self):
        task = self.random.choice(["conversations", "messages", "stats"])
        control.request(task, send=say_nothing, dry_run=self.random.random() < 0.2, by=ADA)

    def claimed(self):
        run = self.any("queued")
        return execution.claim(run.pk, run.attempts)

    def carry_out(self):
        make.conversation(age=days(self.random.choice([1, 40])))
        if run := self.claimed():
            execution.execute(run)

    def hand_back(self):
        if run := self.claimed():
            execution.execute(run, should_stop=lambda: True)

    def fail(self):
        if run := self.claimed():
            Run.objects.filter(pk=run.pk).update(task="gone")
            execution.execute(Run.objects.get(pk=run.pk))

    def lose(self):
        if run := self.claimed():
            Run.objects.filter(pk=run.pk).update(losses=2)
            recovery.recover(run.lease_until + timedelta(seconds=1), send=say_nothing)

    def cancel(self):
        control.cancel(self.any("queued", "held", "succeeded"), by=ADA)

    def approve(self):
        control.approve(self.any("held", "queued"), send=say_nothing, by=ADA)

    def undo(self):
        control.undo(self.any("succeeded", "held"), send=say_nothing, by=ADA)

    def retry(self):
        control.retry(self.any("failed", "cancelled", "missed"), send=say_nothing, by=ADA)

    def miss(self):
        self.now += timedelta(hours=self.random.choice([7, 30]))
        ticks.tick(self.now, send=say_nothing)

    def reject(self):
        execution.reject(make.Run().pk, "from-tomorrow")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_befalls_runs_their_tallies_agree_with_their_rows(seed, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 2
    settings.HOUSEKEEPING_BRAKE_SHARE = 0.3
    history = History(seed)

    for _ in range(60):
        history.step()

    rows = Counter(Run.objects.ended().values_list("task", "status"))
    deleted = Counter()
    for run in Run.objects.ended():
        deleted[run.task, run.status] += run.purged
    sums = Tally.objects.values_list("task", "status").annotate(Sum("runs"), Sum("rows"))
    assert {(task, status): (ended, gone) for task, status, ended, gone in sums} == {
        key: (count, deleted[key]) for key, count in rows.items()
    }
    assert not Run.objects.ended().filter(finished_at=None).exists()
    exposed = generate_latest(metrics.registry()).decode()
    assert f'runs_ended_total{{status="missed",task="stats"}} {float(rows["stats", "missed"])}' in exposed
