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


def test_what_is_cheap_is_seen_as_it_is_now():
    kept(took_ms=3)
    make.user()

    assert gauges.read("statistics").value["total_users"] == 1


def test_what_is_dear_is_shown_as_it_was_measured_with_its_age():
    old = kept(age=timedelta(seconds=25))

    gauge = gauges.read("statistics")

    assert (gauge.value, gauge.measured_at) == ({"total_users": 42}, old.measured_at)


def test_who_needs_it_fresh_waits_for_it():
    kept(age=timedelta(seconds=31))

    assert gauges.read_fresh("statistics").value["total_users"] == 0


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
