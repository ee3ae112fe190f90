"""The pages of a site while a database of its rows can't be reached."""

import pytest
from django.core.checks import run_checks
from django.db import OperationalError, connections
from django.urls import reverse

from housekeeping.models import Hold
from tests.make import ago
from tests.zoo import tasks
from tests.zoo.models import Park
from tests.zoo.tasks import carry_out, request

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unreachable(other, settings):
    """Old parks are planned to go and on hold, and then nothing answers."""
    settings.DATABASE_ROUTERS = ["tests.other_database.Zoo"]
    settings.HOUSEKEEPING_BRAKE_SHARE = 1

    def refuse(execute, sql, *facts):
        raise OperationalError("connection refused")

    with tasks.declared():
        held, _ = (Park.objects.create(name=f"park {one}", opened_at=ago(days=900)) for one in range(2))
        planned = carry_out(request("parks", dry_run=True))
        hold = Hold.objects.create(model="zoo.Park", key=str(held.pk), reason="evidence")
        with connections[other].execute_wrapper(refuse):
            yield planned, hold
    settings.DATABASE_ROUTERS = []


def test_pages_show_what_the_bookkeeping_has(unreachable, dashboard):
    planned, hold = unreachable

    for page in ("overview", "holds", "runs", "tables"):
        assert dashboard.get(reverse(f"housekeeping:{page}")).status_code == 200, page
    run = dashboard.get(reverse("housekeeping:run", args=[planned.pk])).content.decode()
    holds = dashboard.get(reverse("housekeeping:holds")).content.decode()

    assert "gone</span>" not in run
    assert hold.key in holds
    assert "row is gone" not in holds


def test_a_purge_fails_with_the_reason_and_check_warns(unreachable):
    run = carry_out(request("parks"))

    assert (run.status, run.error) == ("failed", "OperationalError: connection refused")
    assert [one.id for one in run_checks() if "refused" in one.msg] == ["housekeeping.W003"]
