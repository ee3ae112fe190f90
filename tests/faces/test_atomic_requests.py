"""A project may have ATOMIC_REQUESTS: a run has to be committed all the same while a request waits for it."""

import pytest
from django.db import connection

from housekeeping import urls
from housekeeping.api import urls as api_urls
from housekeeping.models import Run
from housekeeping.monitoring import urls as monitoring_urls


@pytest.fixture
def atomic_requests(monkeypatch, transactional_db):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def test_a_run_that_a_page_starts_ends_while_the_page_waits_for_it(atomic_requests, dashboard, worker):
    page = dashboard.post("/scheduler-admin/tasks/stats/trigger", follow=True)

    assert Run.objects.get().status == "succeeded"
    assert [str(message) for message in page.context["messages"]] == ["Statistics generated"]


@pytest.mark.parametrize("addresses", [urls, api_urls, monitoring_urls])
def test_no_address_of_ours_is_inside_of_atomic_requests(addresses):
    views = [pattern.callback for pattern in addresses.urlpatterns if pattern.name != "docs"]  # has no rows

    assert [view for view in views if "default" not in getattr(view, "_non_atomic_requests", ())] == []
