"""Every zone of tzdata, each change of its clock from 2025 to 2030, many expressions, any start."""

from zoneinfo import ZoneInfo

import pytest

from housekeeping.declared.triggers import parse
from tests import cron_reference


@pytest.mark.parametrize("name", cron_reference.different_zones())
def test_fire_times_are_those_found_minute_by_minute(name):
    zone = ZoneInfo(name)

    wrong = [
        (expression, *found)
        for change in cron_reference.clock_changes(zone)
        for expression in cron_reference.EXPRESSIONS
        for found in cron_reference.disagreements(parse(expression), zone, change, step=97)
    ]

    assert wrong == []
