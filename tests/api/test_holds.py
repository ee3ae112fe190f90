"""Holds: what only the API refuses."""

import pytest

from tests import make
from tests.api.addresses import SCHEDULER

pytestmark = pytest.mark.django_db


def test_a_hold_until_a_moment_that_a_zone_can_t_take_is_refused(api, settings):
    settings.TIME_ZONE = "America/New_York"
    hold = {"model": "chat.Conversation", "key": make.conversation().pk, "reason": "x"}

    answers = [
        api.post(f"{SCHEDULER}/holds", hold | {"until": until})
        for until in ("9999-12-31", "9999-12-31T23:59:59-14:00")
    ]

    assert [(one.status_code, list(one.json()["fields"])) for one in answers] == [(400, ["until"])] * 2
