import os
from zlib import crc32

import pytest

from tests.processes import Processes

STORAGES = ("sqlite", "redis", "postgres")


@pytest.fixture(params=STORAGES)
def queue_url(request, tmp_path):
    """The queue's storage: each of the three, one after the other."""
    if request.param == "sqlite":
        return f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3"
    return request.getfixturevalue(f"{request.param}_url")


def pytest_collection_modifyitems(config, items):
    """Unless TRIES is set, a test for any storage runs on one of the three, and its neighbours on the others.

    ``make prove`` sets it. A test that names its storages runs on these.
    """
    if os.environ.get("TRIES") or config.getoption("keyword"):
        return
    dropped = [item for item in items if _is_for_any(item) and _storage(item) != _chosen(item)]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in set(dropped)]


def _is_for_any(item):
    return _storage(item) and not any(
        "queue_url" in mark.args[0] for mark in item.iter_markers("parametrize") if mark.args
    )


def _storage(item):
    return item.callspec.params.get("queue_url") if hasattr(item, "callspec") else None


def _chosen(item):
    return STORAGES[crc32(item.nodeid.replace(_storage(item), "").encode()) % len(STORAGES)]


@pytest.fixture
def processes(transactional_db, tmp_path, queue_url):
    """Real processes on the tests' database and the queue of this round."""
    running = Processes(tmp_path, HUEY_URL=queue_url)
    yield running
    running.end()
