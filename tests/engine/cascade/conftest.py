"""What the tests of cascades share."""

import pytest

from tests.shapes.tasks import declared


@pytest.fixture
def shapes(settings):
    """The tasks of the shapes are declared, and delete as many rows as they like."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with declared():
        yield
