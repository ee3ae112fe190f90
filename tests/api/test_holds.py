"""Holds: what only the API refuses."""

import pytest

from tests import make
from tests.api.addresses import SCHEDULER

pytestmark = pytest.mark.django_db


def test_a_hold_until_a_moment_that_a_zone_can_t_take_is_refused(api, settings):
    settings.TIME_ZONE = "America/New_York"
    hold = {"model": "chat.Conversation", "key": make.conversation().pk, "reason": "x"}

    answer = api.post(f"{SCHEDULER}/holds", hold | {"until": "9999-12-31T23:59:59-14:00"})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["until"])


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("America/New_York", "9999-12-31T18:59:59-05:00"),  # 23:59:59 in UTC
        ("UTC", "9999-12-31T23:59:59+00:00"),
        ("Asia/Tokyo", "9999-12-31T23:59:59+09:00"),
    ],
)
def test_the_last_day_of_all_is_a_date_in_every_zone(api, settings, zone, until):
    settings.TIME_ZONE = zone
    hold = {"model": "chat.Conversation", "key": make.conversation().pk, "reason": "x"}

    answer = api.post(f"{SCHEDULER}/holds", hold | {"until": "9999-12-31"})

    assert (answer.status_code, answer.json()["until"]) == (201, until)
    assert api.get(f"{SCHEDULER}/holds/{answer.json()['id']}").json()["until"] == until
