"""What watches the site must not outgrow it."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from housekeeping.models import Act, Consumer, Run, Snapshot
from housekeeping.tasks import tidy_history
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db


def test_history_goes_after_ninety_days_and_what_is_younger_stays():
    make.run(status="succeeded", requested_at=make.ago(days=91))
    young = make.run(status="failed", requested_at=make.ago(days=89))
    Snapshot.objects.create(taken_at=make.ago(days=91), numbers={})
    Snapshot.objects.create(taken_at=make.ago(days=89), numbers={})
    make.consumer(age=days(91))
    make.consumer(age=days(89))

    result = tidy_history()

    assert result == {
        "deleted_archives": 0,
        "deleted_plans": 0,
        "deleted_holds": 0,
        "deleted_runs": 1,
        "deleted_snapshots": 1,
        "deleted_table_sizes": 0,
        "deleted_consumers": 1,
        "deleted_tokens": 0,
        "deleted_sessions": 0,
        "deleted_user_sessions": 0,
        "deleted_sign_ins": 0,
        "deleted_acts": 0,
        "deleted_deliveries": 0,
        "deleted_incidents": 0,
    }
    assert list(Run.objects.all()) == [young]
    assert (Snapshot.objects.count(), Consumer.objects.count()) == (1, 1)


@pytest.mark.parametrize("status", ["queued", "running", "held"])
def test_a_run_that_has_not_ended_stays_however_old(status):
    make.run(status=status, requested_at=make.ago(days=900))

    assert tidy_history()["deleted_runs"] == 0


def test_only_so_many_of_the_newest_runs_are_kept():
    moments = [make.ago(hours=hours) for hours in range(10)]
    for moment in moments:
        make.run(status="succeeded", requested_at=moment)

    beyond = Run.objects.ended().older_than(make.ago(days=90), keep_newest=4)

    assert sorted(beyond.values_list("requested_at", flat=True)) == sorted(moments[4:])


def test_fewer_runs_than_the_bound_all_stay():
    make.run(status="succeeded", requested_at=timezone.now())

    assert not Run.objects.ended().older_than(make.ago(days=90), keep_newest=4).exists()


def test_a_run_outlives_the_row_of_its_consumer():
    consumer = make.consumer(age=days(100))
    run = make.run(status="succeeded", consumer=consumer)

    tidy_history()

    run.refresh_from_db()
    assert run.consumer is None


def test_tokens_go_once_they_have_run_out_and_a_used_one_that_has_not_stays_used():
    user = make.user()
    living, used = RefreshToken.for_user(user), RefreshToken.for_user(user)
    old, old_and_used = RefreshToken.for_user(user), RefreshToken.for_user(user)
    for token in (used, old_and_used):
        token.blacklist()
    OutstandingToken.objects.filter(jti__in=[old["jti"], old_and_used["jti"]]).update(
        expires_at=make.ago(seconds=1)
    )

    assert tidy_history()["deleted_tokens"] == 2

    assert set(OutstandingToken.objects.values_list("jti", flat=True)) == {living["jti"], used["jti"]}
    assert BlacklistedToken.objects.get().token.jti == used["jti"]
    answer = APIClient().post("/api/token/refresh", {"refresh": str(used)})
    assert answer.status_code == 401


def test_sessions_go_once_they_have_run_out():
    Session.objects.create(session_key="old", expire_date=make.ago(minutes=1))
    living = Session.objects.create(session_key="living", expire_date=timezone.now() + timedelta(hours=1))

    assert tidy_history()["deleted_sessions"] == 1

    assert list(Session.objects.all()) == [living]


@pytest.mark.parametrize(
    ("model", "fields", "kept_for"),
    [
        (AccessLog, {}, days(90)),
        (AccessFailureLog, {}, days(90)),
        (AccessAttempt, {"failures_since_start": 1}, days(1)),
    ],
)
def test_what_sign_ins_leave_behind_goes_in_time(model, fields, kept_for):
    for name, age in [("old", kept_for + timedelta(hours=1)), ("young", kept_for - timedelta(hours=1))]:
        row = model.objects.create(username=name, ip_address="198.51.100.1", **fields)
        model.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - age)

    assert tidy_history()["deleted_sign_ins"] == 1

    assert model.objects.get().username == "young"


def differs_by_request(request):
    return timedelta(minutes=15 if request.user else 60)


@pytest.mark.parametrize(
    ("cool_off", "stays"),
    [
        (None, True),  # axes' default: until an administrator ends the lock
        (timedelta(days=3), True),
        (differs_by_request, True),
        (lambda request: timedelta(hours=1), False),
        (1, False),
    ],
)
def test_a_count_stays_as_long_as_it_locks_somebody_out(settings, cool_off, stays):
    settings.AXES_COOLOFF_TIME = cool_off
    row = AccessAttempt.objects.create(username="ada", ip_address="198.51.100.1", failures_since_start=5)
    AccessAttempt.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - days(2))

    tidy_history()

    assert AccessAttempt.objects.exists() == stays


def test_acts_go_after_four_hundred_days_and_outlive_the_runs_they_were_done_to():
    run = make.run(status="succeeded", requested_at=make.ago(days=399))
    Act.objects.create(done_at=make.ago(days=401), what="trigger", target="long ago")
    kept = Act.objects.create(done_at=make.ago(days=399), what="trigger", target=str(run.pk))

    result = tidy_history()

    assert (result["deleted_acts"], result["deleted_runs"]) == (1, 1)
    assert list(Act.objects.all()) == [kept]
