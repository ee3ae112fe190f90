import pytest

from tests.zoo import tasks


@pytest.fixture
def purged_apart(zoo_apart, settings):
    """The zoo is in another database, its policies are declared, and no brake holds them."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with tasks.declared():
        yield
