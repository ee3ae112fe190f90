"""Finding runs: by each filter, and a slice at a time."""

import re
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone

from housekeeping.exceptions import BadPlace
from housekeeping.models import Act, Run
from housekeeping.reading import search
from tests import make

pytestmark = pytest.mark.django_db


def found(**filters):
    return list(search.runs(filters))


def runs(number, **fields):
    """So many runs, the newest first."""
    fields = {"task": "stats", "cause": "manual", "status": "succeeded"} | fields
    moments = [fields.pop("requested_at")] * number if "requested_at" in fields else None
    made = Run.objects.bulk_create(
        Run(**fields, requested_at=moments[n] if moments else make.ago(minutes=n)) for n in range(number)
    )
    return sorted(made, key=lambda run: (run.requested_at, run.pk), reverse=True)


# --- Which runs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "fields"),
    [
        ({"task": "users"}, {"task": "users"}),
        ({"schedule": "weekly_cleanup"}, {"schedule": "weekly_cleanup"}),
        ({"status": "failed"}, {"status": "failed"}),
        ({"cause": "retry"}, {"cause": "retry"}),
        ({"who": "grace"}, {"requested_by": "grace"}),
        ({"dry_run": True}, {"dry_run": True}),
        ({"task": "users", "status": "failed"}, {"task": "users", "status": "failed"}),
    ],
)
def test_each_filter_finds_its_runs_and_no_others(filters, fields):
    make.run("stats", status="succeeded", requested_by="grace hopper")
    wanted = make.run(**{"task": "messages", "status": "succeeded"} | fields)

    assert found(**filters) == [wanted]


def test_without_dry_runs_the_others_are_found():
    make.run("users", status="succeeded", dry_run=True)
    real = make.run("users", status="succeeded")

    assert found(dry_run=False) == [real]


def test_dates_include_their_start_and_exclude_their_end():
    first, second, third = (datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 3))
    for moment in (first, second, third):
        make.run(status="succeeded", requested_at=moment)

    assert [run.requested_at for run in found(after=first, before=third)] == [second, first]


def test_what_is_empty_filters_nothing():
    [run] = runs(1)

    assert found(task="", who="", text=" ", dry_run=None, after=None) == [run]


@pytest.mark.parametrize("text", ["DATABASE is", "use", "weekly", "grac"])
def test_a_text_is_looked_for_in_error_task_schedule_and_who(text):
    make.run("stats", status="succeeded")
    wanted = make.run(
        "users",
        status="failed",
        error="The database is locked",
        schedule="weekly_cleanup",
        requested_by="grace",
    )

    assert found(text=text) == [wanted]


def test_the_start_of_an_id_finds_its_run_with_and_without_dashes():
    run = make.run("users", id=uuid.UUID("0badcafe-1111-4111-8111-111111111111"), status="failed")
    make.run("stats", id="0badcaff-1111-4111-8111-111111111111", status="failed")

    assert found(text="0badcafe") == found(text="0BADCAFE-11") == found(text="0badcafe11") == [run]


@pytest.mark.parametrize("text", ["%", "_", "\\", "' OR 1=1"])
def test_a_text_is_taken_as_it_is_written(text):
    make.run("users", status="failed", error="The database is locked")
    wanted = make.run("stats", status="failed", error=f"broken at {text} here")

    assert found(text=text) == [wanted]


def test_a_text_is_looked_for_in_so_many_of_the_newest_runs_and_that_is_said(monkeypatch):
    monkeypatch.setattr(search, "TEXT_REACH", 3)
    newest = runs(5, error="out of ink")

    assert found(text="ink") == newest[:3]
    assert search.text_since({"text": "ink"}) == newest[2].requested_at
    assert found(text="ink", before=newest[2].requested_at) == newest[3:]


def test_a_whole_id_is_found_however_old_it_is(monkeypatch):
    monkeypatch.setattr(search, "TEXT_REACH", 3)
    *_, oldest = runs(5)

    assert found(text=str(oldest.pk)) == [oldest]
    assert search.text_since({"text": str(oldest.pk)}) is None


def test_a_text_among_few_runs_is_looked_for_in_all():
    runs(3)

    assert search.text_since({"text": "ink"}) is None


def test_a_run_must_pass_each_of_the_filters():
    make.run("stats", status="succeeded")
    wanted = make.run("users", status="failed", requested_by="grace", error="out of ink")

    assert list(search.runs({"who": "grace", "text": "ink"})) == [wanted]


INDEXES = {
    "run_newest": {},
    "run_newest_of_task": {"task": "users"},
    "run_newest_of_status": {"status": "failed"},
    "run_newest_of_schedule": {"schedule": "weekly_cleanup"},
    "run_newest_of_cause": {"cause": "retry"},
    "run_newest_of_who": {"who": "grace"},
    "run_newest_dry": {"dry_run": True},
    "run_newest_dry_of_task": {"dry_run": True, "task": "users"},
    "run_newest_of_status_task": {"status": "failed", "task": "users"},
    "run_newest_of_status_schedule": {"status": "failed", "schedule": "weekly_cleanup"},
}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads so small a table as a whole")
@pytest.mark.parametrize("index", INDEXES)
def test_each_filter_and_the_common_pairs_have_an_index_in_the_order_of_the_list(index):
    plan = search.runs(INDEXES[index])[: search.SLICE_SIZE].explain()

    assert re.search(rf"USING INDEX {index}\b", plan)
    assert "TEMP B-TREE" not in plan  # nothing is sorted


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads so small a table as a whole")
def test_the_active_run_of_a_task_is_not_looked_for_along_all_of_its_runs():
    plan = Run.objects.active().filter(task="users").explain()

    assert "(finished_at=?)" in plan


def test_the_newest_active_run_of_a_task_is_found():
    make.run("users", status="queued", attempts=1, requested_at=make.ago(hours=1))
    newest = make.run("users", status="running")
    make.run("users", status="failed")
    make.run("stats")

    assert Run.objects.in_the_way("users", dry_run=False) == newest
    assert Run.objects.in_the_way("messages", dry_run=False) is None


# --- A slice at a time ------------------------------------------------------------------------


def part(**place):
    return search.slice_of(search.runs({}), "requested_at", size=3, **place)


def walk(start, step):
    """The slices from ``start`` on, each by the place that the one before it gives."""
    slices = [start]
    while place := getattr(slices[-1], step):
        slices.append(part(**{step: place}))
    return slices


@pytest.mark.parametrize("same_moment", [False, True], ids=["of many moments", "of one moment"])
def test_the_slices_downwards_hold_each_run_once(same_moment):
    newest = runs(8, **({"requested_at": timezone.now()} if same_moment else {}))

    slices = walk(part(), "older")

    assert [len(one.rows) for one in slices] == [3, 3, 2]
    assert [run for one in slices for run in one.rows] == newest


@pytest.mark.parametrize("same_moment", [False, True], ids=["of many moments", "of one moment"])
def test_the_slices_upwards_from_the_oldest_hold_each_run(same_moment):
    newest = runs(8, **({"requested_at": timezone.now()} if same_moment else {}))

    slices = walk(part(oldest=True), "newer")

    assert slices[0].rows == newest[5:]
    assert (slices[0].older, slices[-1].newer) == ("", "")
    # The last step shows the newest slice whole, and so some runs of the one below it again.
    assert [one.rows for one in slices[1:]] == [newest[2:5], newest[:3]]


def test_one_step_down_and_up_again_is_the_same_slice():
    newest = runs(9)
    below = part(older=part(older=part().older).older)

    above = part(newer=below.newer)

    assert (below.rows, above.rows) == (newest[6:], newest[3:6])


def test_runs_that_come_in_meanwhile_shift_no_slice():
    newest = runs(6)
    first = part()
    make.run(status="succeeded")

    assert part(older=first.older).rows == newest[3:]


def test_a_place_outlives_its_run():
    newest = runs(6)
    place = part().older
    newest[2].delete()

    assert part(older=place).rows == newest[3:]


def test_an_empty_list_has_one_slice():
    assert part() == part(oldest=True) == search.Slice([], "", "")


@pytest.mark.parametrize(
    "place",
    [
        "nonsense",
        "1",
        "1-",
        "x-0badcafe-1111-4111-8111-111111111111",
        f"{10**30}-0badcafe-1111-4111-8111-111111111111",
        "-",
        "1_0-0badcafe-1111-4111-8111-111111111111",
        "1-0badcafe111141118111111111111111",
    ],
)
def test_a_place_that_no_slice_has_given_is_refused(place):
    with pytest.raises(BadPlace, match="not a place"):
        part(older=place)


def test_a_key_that_is_written_otherwise_is_refused():
    with pytest.raises(BadPlace):
        search.slice_of(Act.objects.all(), "done_at", older="1-1_0")


def test_a_key_beyond_the_database_s_numbers_is_refused():
    with pytest.raises(BadPlace):
        search.slice_of(Act.objects.all(), "done_at", older=f"1-{2**63}")


def test_rows_that_are_ordered_by_their_key_alone_have_it_as_their_place():
    made = [Act.objects.create(done_at=timezone.now()) for _ in range(5)][::-1]
    acts = Act.objects.order_by("-pk")

    newest = search.slice_of(acts, None, size=3)
    older = search.slice_of(acts, None, older=newest.older, size=3)

    assert (newest.rows, newest.older, older.rows) == (made[:3], str(made[2].pk), made[3:])
    assert search.slice_of(acts, None, oldest=True, size=3).rows == made[2:]


def test_a_place_that_no_slice_has_given_leads_to_the_newest():
    newest = runs(4)

    assert search.slice_or_newest(search.runs({}), "requested_at", {"older": "x"}) == (only(newest), False)
    assert search.slice_or_newest(search.runs({}), "requested_at", {}) == (only(newest), True)


def only(rows):
    return search.Slice(rows, "", "")


def test_the_neighbours_of_a_run_are_the_next_older_and_newer():
    newest = runs(3, requested_at=timezone.now())

    assert search.neighbours(search.runs({}), newest[1], "requested_at") == (newest[2], newest[0])
    assert search.neighbours(search.runs({}), newest[0], "requested_at") == (newest[1], None)
