"""A project may have ATOMIC_REQUESTS: a run has to be committed all the same while a request waits for it."""

import pytest
from django.db import connection

from housekeeping.models import Run


@pytest.fixture
def atomic_requests(monkeypatch, transactional_db):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def test_a_run_that_a_page_starts_ends_while_the_page_waits_for_it(atomic_requests, dashboard, worker):
    page = dashboard.post("/scheduler-admin/tasks/stats/trigger", follow=True)

    assert Run.objects.get().status == "succeeded"
    assert [str(message) for message in page.context["messages"]] == ["Statistics generated"]
