"""When a run is unusual for its task: marked once, when it ends."""

from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.models import Run
from housekeeping.runs import endings, usual
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def history(number=5, *, seconds=2.0, rows=50, age=timedelta(days=1), **fields):
    """Earlier runs, one a second after the other."""
    for _ in range(number):
        ended = timezone.now() - age
        fields = {"status": "succeeded"} | fields
        make.run(
            requested_at=ended - timedelta(seconds=seconds),
            started_at=ended - timedelta(seconds=seconds),
            finished_at=ended,
            **purged(rows),
            **fields,
        )


def purged(rows):
    return {"deleted": {"conversations": rows}, "receipt": {"conversations": {"rows": {}}}}


def ends(status="succeeded", *, seconds=2.0, rows=50, **fields):
    """A run that ends now, after so many seconds."""
    began = timezone.now() - timedelta(seconds=seconds)
    run = make.run(
        status="running", attempts=1, requested_at=began, started_at=began, **purged(rows), **fields
    )
    endings.end(run, Run.Status(status), rows=Run.objects.all())
    run.refresh_from_db()
    return run.usual_seconds, run.usual_rows


NOTHING = (None, None)


@pytest.mark.parametrize(
    ("ended", "marked"),
    [
        ({}, NOTHING),
        ({"seconds": 9.5}, NOTHING),  # nearly five times as long
        ({"seconds": 11}, (2, None)),
        ({"rows": 249}, NOTHING),
        ({"rows": 250}, (None, 50)),
        ({"rows": 250, "seconds": 11}, (2, 50)),
        ({"seconds": 11, "status": "failed"}, (2, None)),
        ({"seconds": 11, "status": "cancelled"}, NOTHING),
        ({"seconds": 11, "dry_run": True}, NOTHING),
    ],
)
def test_a_run_is_marked_that_took_much_longer_or_deleted_many_more_rows(ended, marked):
    history()

    assert ends(**ended) == marked


@pytest.mark.parametrize(
    ("earlier", "ended", "marked"),
    [
        ({"seconds": 0.02}, {"seconds": 5}, NOTHING),  # 250 times as long, and still short
        ({"seconds": 0.02}, {"seconds": 10}, (0.02, None)),
        ({"rows": 0}, {"rows": 99}, NOTHING),
        ({"rows": 0}, {"rows": 100}, (None, 0)),
    ],
)
def test_a_short_run_and_a_few_rows_are_never_unusual(earlier, ended, marked):
    history(**earlier)

    assert ends(**ended) == marked


def test_four_runs_are_too_few_to_tell_what_is_usual():
    history(4)

    assert ends(seconds=600) == NOTHING


def test_runs_that_are_older_or_of_another_kind_do_not_count():
    history(4)
    history(5, age=timedelta(days=29), seconds=600)
    history(5, task="users", seconds=600)
    history(5, status="failed", seconds=600)
    history(5, dry_run=True, seconds=600)
    assert ends(seconds=600) == NOTHING

    history(1)
    assert ends(seconds=600) == (2, None)


def test_one_long_run_among_many_does_not_change_what_is_usual():
    history(9)
    history(1, seconds=3600, rows=1_000_000)

    assert usual.of("conversations", timezone.now()) == usual.Usual(10, timedelta(seconds=2), 50)


def test_a_short_run_is_compared_without_a_query(django_assert_num_queries):
    history()
    run = make.run(
        status="succeeded", started_at=make.ago(seconds=1), finished_at=timezone.now(), **purged(5)
    )

    with django_assert_num_queries(0):
        assert usual.compare(run) == {}


def test_a_run_still_ends_if_the_mark_can_t_be_written(caplog):
    history()

    with make.refusal("UPDATE OF usual_rows"):
        assert ends(rows=250) == NOTHING

    assert Run.objects.filter(status="succeeded", deleted={"conversations": 250}).exists()
    assert "it can't be compared with earlier ones" in caplog.text


def test_a_real_purge_is_marked():
    history(rows=10)
    for _ in range(100):
        make.conversation(age=days(31))
    run = make.run(approved_by="ada")

    execution.execute(execution.claim(run.pk, 0))

    run.refresh_from_db()
    assert (run.status, run.purged, run.usual_rows, run.usual_seconds) == ("succeeded", 100, 10, None)
