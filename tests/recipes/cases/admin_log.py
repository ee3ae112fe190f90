from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone

from tests.recipes.host import steps

pytestmark = pytest.mark.django_db(transaction=True)


def test_entries_are_deleted_after_four_hundred_days_and_an_undo_brings_them_back(admin_client):
    for name, days in [("Keepers", 401), ("Guides", 400.01), ("Guests", 399)]:
        assert admin_client.post("/admin/auth/group/add/", {"name": name}).status_code == 302
        done_at = timezone.now() - timedelta(days=days)
        LogEntry.objects.filter(object_repr=name).update(action_time=done_at)
    group = Group.objects.get(name="Keepers")
    admin_client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Feeders"})
    before = steps.rows(LogEntry)

    assert steps.preview("admin_log") == {"deleted_entries": 2}
    assert steps.rows(LogEntry) == before

    deleted, run = steps.purge("admin_log")
    assert deleted == {"deleted_entries": 2}
    assert [entry.object_repr for entry in LogEntry.objects.order_by("pk")] == ["Guests", "Feeders"]

    assert steps.undo(run) == ({"admin.LogEntry": 2}, {})
    assert steps.rows(LogEntry) == before
