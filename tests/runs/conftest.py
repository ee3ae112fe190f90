import pytest


@pytest.fixture
def sent():
    """The runs whose ids went into the queue."""
    return []
