"""An erasure while a database that has nothing of the person can't be reached."""

import pytest
from django.db import OperationalError, connections

from housekeeping.erasure import people, requests, work
from housekeeping.models import Erasure
from tests.erasure.people import NAME, grace

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_database_without_personal_rows_and_policies_stops_no_erasure(zoo_apart):
    def refuse(execute, sql, *facts):
        raise OperationalError("connection refused")

    grace()
    erasure = requests.store(people.find(NAME))

    with connections[zoo_apart].execute_wrapper(refuse):
        erasure = work.carry_out(Erasure.objects.get(pk=erasure.pk))

    assert erasure.state == "finished", erasure.reason
