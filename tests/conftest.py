import hypothesis
import pytest
from django.conf import settings
from django.utils import translation
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle
from rest_framework_simplejwt.tokens import RefreshToken

from housekeeping.declared import registry
from tests import make, services

# These machines are noisy: how long an example takes says nothing.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(autouse=True, scope="session")
def _unthrottled():
    """Tests ask more often than people do. Those of the throttles set rates of their own."""
    for scope in SimpleRateThrottle.THROTTLE_RATES:
        SimpleRateThrottle.THROTTLE_RATES[scope] = None


@pytest.fixture(autouse=True)
def _in_the_default_language():
    """A request leaves its thread in the language that it was answered in."""
    translation.deactivate()


@pytest.fixture(scope="session")
def redis_url():
    with services.redis() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url():
    with services.postgres() as url:
        if not settings.BEHIND_PGBOUNCER:
            yield url
            return
        with services.pgbouncer(url) as pooled:
            yield pooled


@pytest.fixture
def add_task():
    """Declare a task for the length of a test. Returns it."""
    added = []

    def add(name, function, **options):
        registry.task(name, **options)(function)
        added.append(name)
        return registry.TASKS[name]

    yield add
    for name in added:
        del registry.TASKS[name]


@pytest.fixture
def administrator(db):
    return make.administrator(username="ada")


@pytest.fixture
def api(administrator):
    """The JSON API as an administrator uses it, with a real token."""
    return with_token(administrator)


def with_token(user):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(user).access_token}")
    return client


@pytest.fixture
def dashboard(client, administrator):
    """The pages, as an administrator who has signed in."""
    client.force_login(administrator)
    return client


def pytest_terminal_summary(terminalreporter):
    reasons = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])}
    parts = sorted(reason.split()[1] for reason in reasons if reason.endswith(services.MISSING))
    if parts:
        terminalreporter.write_line(f"Skipped, as it could not be had on this machine: {', '.join(parts)}")
