from datetime import timedelta

import pytest
from django.utils import timezone
from silk.models import Profile, Request, Response, SQLQuery

from housekeeping.models import Archive
from tests.recipes.host import steps

pytestmark = pytest.mark.django_db(transaction=True)
RELATED = [Response, SQLQuery, Profile, Profile.queries.through]


def test_requests_are_deleted_after_a_week_with_everything_recorded_about_them(client):
    for days in (8, 6):
        assert client.get("/users/").status_code == 200
        Request.objects.filter(start_time__gt=timezone.now() - timedelta(days=1)).update(
            start_time=timezone.now() - timedelta(days=days)
        )
    before = steps.rows(Request, *RELATED)
    assert {table: len(found) for table, found in before.items()} == dict.fromkeys(before, 2)
    young = Request.objects.latest("start_time")

    assert steps.preview("history")["deleted_silk_requests"] == 1
    assert steps.rows(Request, *RELATED) == before

    assert steps.purge("history")[0]["deleted_silk_requests"] == 1
    assert Request.objects.get() == young
    assert {table: len(found) for table, found in steps.rows(*RELATED).items()} == {
        model._meta.label: 1 for model in RELATED
    }
    assert not Archive.objects.exists()
