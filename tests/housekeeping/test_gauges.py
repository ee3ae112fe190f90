from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping import gauges
from housekeeping.models import Gauge
from tests import make

pytestmark = pytest.mark.django_db


def kept(name="statistics", *, age=timedelta(), took_ms=500, **fields):
    fields = {"value": {"total_users": 42}} | fields
    return Gauge.objects.create(name=name, measured_at=timezone.now() - age, took_ms=took_ms, **fields)


def test_what_is_cheap_is_kept_for_a_while_and_not_beyond_the_end_of_a_run():
    kept(took_ms=3, age=timedelta(seconds=25))
    make.user()
    assert gauges.read_all(["statistics"])["statistics"].value["total_users"] == 42

    make.run(status="succeeded", finished_at=timezone.now())

    assert gauges.read_all(["statistics"])["statistics"].value["total_users"] == 1


def test_a_figure_that_is_old_is_measured_by_who_looks_unless_it_is_dear():
    kept(took_ms=3, age=timedelta(seconds=31))
    kept("archive", value=7, age=timedelta(seconds=31))

    found = gauges.read_all(["statistics", "archive"])

    assert (found["statistics"].value["total_users"], found["archive"].value) == (0, 7)


def test_who_needs_it_now_has_it_now_and_where_it_is_dear_at_most_30_seconds_old():
    gauge = kept(took_ms=3)
    assert gauges.read_now("statistics").value["total_users"] == 0

    Gauge.objects.update(took_ms=500, value={"total_users": 42}, measured_at=make.ago(seconds=29))
    assert gauges.read_now("statistics").value["total_users"] == 42

    Gauge.objects.update(measured_at=make.ago(seconds=31))
    assert gauges.read_now(gauge.name).value["total_users"] == 0


def test_a_consumer_measures_what_is_not_fresh_any_more():
    kept(age=timedelta(seconds=21))

    gauges.refresh(timezone.now())

    assert Gauge.objects.get(name="statistics").value["total_users"] == 0
    assert {gauge.name for gauge in Gauge.objects.all()} == set(gauges.measures())


def test_of_two_consumers_one_measures():
    now = timezone.now()
    gauges.refresh(now)
    Gauge.objects.update(measured_at=now - timedelta(seconds=21), claimed_at=now)
    before = Gauge.objects.get(name="statistics").measured_at

    gauges.refresh(now)

    assert Gauge.objects.get(name="statistics").measured_at == before


def test_what_takes_long_is_measured_less_often():
    gauge = kept(age=timedelta(seconds=60), took_ms=10_000)

    gauges.refresh(timezone.now())

    assert Gauge.objects.get(name="statistics").measured_at == gauge.measured_at


def test_a_measurer_that_died_is_taken_over_from():
    kept(age=timedelta(seconds=60), claimed_at=timezone.now() - timedelta(seconds=30))

    gauges.refresh(timezone.now())

    assert Gauge.objects.get(name="statistics").value["total_users"] == 0
