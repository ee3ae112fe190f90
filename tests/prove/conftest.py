from tests.faces.conftest import worker  # noqa: F401 - a fixture
