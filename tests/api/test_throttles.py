"""How often an account may ask for runs; what is no try is not counted."""

import uuid

import pytest
from django.core.cache import cache
from rest_framework.throttling import SimpleRateThrottle

from tests.api.addresses import RUNS, SCHEDULER
from tests.conftest import throttled, with_token

pytestmark = pytest.mark.django_db

OPEN = ["token", "token/refresh", "token/blacklist", "register", "verify"]
NO_RUN = uuid.UUID(int=0)  # the same in each of the workers that share the tests
STEERING = ["trigger", "runs/retry", "schedules/weekly_cleanup/run", f"runs/{NO_RUN}/retry"]


@pytest.mark.parametrize("path", [*OPEN, *(f"admin/scheduler/{path}" for path in STEERING)])
def test_what_is_no_try_locks_nobody_out(path, rate, api):
    for scope in [*SimpleRateThrottle.THROTTLE_RATES, "trigger"]:
        rate(scope, "1/min")

    looks = [
        getattr(api, method)(f"/api/{path}").status_code
        for method in ("get", "put", "delete", "head", "options")
    ]
    tries = [throttled(api.post(f"/api/{path}", {})) for _ in range(2)]

    assert set(looks) <= {200, 405}
    assert tries == [False, True]


@pytest.mark.parametrize("path", ["trigger", "runs/retry"])
def test_triggers_are_throttled_by_user(path, rate, api, operator):
    rate("trigger", "1/min")

    assert [throttled(api.post(f"{SCHEDULER}/{path}", {})) for _ in range(2)] == [False, True]
    assert not throttled(with_token(operator).post(f"{SCHEDULER}/{path}", {}))


def test_looking_is_not_throttled(rate, api):
    rate("trigger", "1/min")

    assert {api.get(RUNS).status_code for _ in range(5)} == {200}


def test_what_throttles_count_is_seen_by_every_process_of_the_site(settings):
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")
    cache.set("throttle", [1])

    assert cache.get("throttle") == [1]
