import pytest

from housekeeping.declared.registry import SCHEDULES


@pytest.fixture
def sent():
    """The runs whose ids went into the queue."""
    return []


@pytest.fixture
def only_daily():
    """The daily schedule alone, so that a test counts its runs and no others."""
    others = {key: SCHEDULES.pop(key) for key in list(SCHEDULES) if key != "daily_housekeeping"}
    yield
    daily = SCHEDULES.pop("daily_housekeeping")
    SCHEDULES["daily_housekeeping"] = daily
    SCHEDULES.update(others)
