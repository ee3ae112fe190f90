"""Schedules are run now, changed, and late."""

import pytest

from tests import make
from tests.api.addresses import SCHEDULER

pytestmark = pytest.mark.django_db


def test_a_schedule_is_run_now_as_a_run_of_its_own(api, worker):
    body = api.post(f"{SCHEDULER}/schedules/statistics_generation/run").json()

    assert (body["run"]["schedule"], body["run"]["task"]) == ("statistics_generation", "stats")
    assert (body["run"]["cause"], body["run"]["status"]) == ("manual", "succeeded")


def test_a_schedule_that_no_consumer_looked_at_in_time_is_late(api):
    make.schedule_state("weekly_cleanup", due=make.ago(hours=1))

    late = {one["id"]: one["late"] for one in api.get(f"{SCHEDULER}/schedules").json()["results"]}

    assert late["weekly_cleanup"] is api.get(f"{SCHEDULER}/schedules/weekly_cleanup").json()["late"] is True
    assert late["daily_housekeeping"] is False


def test_a_long_trigger_is_refused_on_every_database(api):
    minutes = ",".join(str(minute) for minute in range(60))
    hours = ",".join(str(hour) for hour in range(24))

    answer = api.patch(f"{SCHEDULER}/schedules/weekly_cleanup", {"trigger": f"{minutes} {hours} * * *"})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["trigger"])
