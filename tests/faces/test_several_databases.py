"""The tables of two databases: on the page, in the API and on the terminal."""

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from housekeeping.reading.tables import measuring
from tests.make import ago
from tests.management.commands import output
from tests.zoo.models import Park

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def park(other, settings):
    settings.DATABASE_ROUTERS = ["tests.other_database.Zoo"]
    Park.objects.create(name="old", opened_at=ago(days=900))
    measuring.measure(timezone.now())
    yield
    settings.DATABASE_ROUTERS = []


def words(text):
    return " ".join(text.split())


def test_each_face_names_the_database_of_a_table(park, dashboard, api):
    page = dashboard.get("/scheduler-admin/tables").text
    [table] = [
        one for one in api.get("/api/admin/scheduler/tables").json()["results"] if ":zoo_park" in one["table"]
    ]

    assert "Database <code>default</code>" in page
    assert "Database <code>other</code>" in page
    assert dashboard.get("/scheduler-admin/tables/other:zoo_park").status_code == 200
    assert (table["table"], table["database"], table["rows"]) == ("other:zoo_park", "other", 1)
    assert api.get(table["url"]).json()["draft"]["rows"] == 1
    assert "other:zoo_park (zoo.Park)" in output("housekeeping_tables", "other:zoo_park")
    assert " in the database other; - a day." in words(output("housekeeping_tables"))


def test_each_face_tells_that_a_database_could_not_be_measured(park, dashboard, api):
    def refuse(execute, sql, *facts):
        raise OperationalError("connection refused")

    with connections["other"].execute_wrapper(refuse):
        measuring.measure(timezone.now())
        page = dashboard.get("/scheduler-admin/tables").text
        told = output("housekeeping_tables")
        [_, other] = api.get("/api/admin/scheduler/tables").json()["databases"]

    assert "It could not be measured: OperationalError: connection refused" in page
    assert "The database other could not be measured: OperationalError: connection refused" in told
    assert (other["bytes"], other["failure"]) == (None, "OperationalError: connection refused")
