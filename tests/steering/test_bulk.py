"""One act on many runs."""

import uuid

import pytest

from housekeeping.exceptions import NotPossible
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, Run
from housekeeping.runs import control
from housekeeping.steering import bulk
from tests import make

pytestmark = pytest.mark.django_db

ADA = Actor("ada", "a test")


def cancel(run):
    return control.cancel(run, by=ADA)


def test_each_run_is_done_by_itself_and_the_others_say_why_not():
    waiting, ended, gone = make.run("stats"), make.run(status="succeeded"), uuid.uuid4()

    summary = bulk.each([waiting.pk, ended.pk, gone], cancel)

    assert [run.pk for run in summary.done] == [waiting.pk]
    assert [(one.pk, one.reason) for one in summary.refused] == [
        (ended.pk, "This run has already ended: succeeded."),
        (gone, "This run no longer exists."),
    ]
    assert [act.target for act in Act.objects.all()] == [str(waiting.pk)]


def test_a_run_that_is_named_twice_is_done_once():
    run = make.run()

    summary = bulk.each([run.pk, run.pk], cancel)

    assert (len(summary.done), summary.refused) == (1, [])


def test_of_two_runs_of_one_task_the_second_is_not_retried():
    first, second = (make.run("users", status="failed") for _ in range(2))

    summary = bulk.each([first.pk, second.pk], lambda run: control.retry(run, send=lambda run: None, by=ADA))

    [retried] = summary.done
    assert (retried.retry_of, retried.cause) == (first, "retry")
    assert summary.refused[0].reason == f"The task 'users' is queued already, as run {retried.pk}."


@pytest.mark.parametrize(
    ("number", "reason"), [(0, "Select runs first"), (101, "At most 100 runs at once; 101")]
)
def test_none_and_too_many_are_refused_and_nothing_is_done(number, reason):
    Run.objects.bulk_create(
        Run(task=f"task {n}", cause="manual", status="queued", requested_at=make.ago()) for n in range(number)
    )

    with pytest.raises(NotPossible, match=reason):
        bulk.each(Run.objects.values_list("pk", flat=True), cancel)

    assert not Run.objects.exclude(status="queued").exists()
