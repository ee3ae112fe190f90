import pytest

from housekeeping.declared import registry
from tests.engine.exports.cold import PARKS, store_in
from tests.zoo import tasks


@pytest.fixture(autouse=True)
def cold(settings, tmp_path):
    """A storage, and a task that exports parks with all that is in them."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    registry.task(policy=PARKS)(tasks.task_of(PARKS))
    yield store_in(tmp_path, settings)
    del registry.TASKS["exported"]
