import pytest

from tests.processes import Processes


@pytest.fixture(params=["sqlite", "redis", "postgres"])
def queue_url(request, tmp_path):
    """The queue's storage: each of the three, one after the other."""
    if request.param == "sqlite":
        return f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3"
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def processes(transactional_db, tmp_path, queue_url):
    """Real processes on the tests' database and the queue of this round."""
    running = Processes(tmp_path, HUEY_URL=queue_url)
    yield running
    running.end()
