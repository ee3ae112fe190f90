"""Who speaks to the chat's API: anyone, and one user."""

import pytest
from rest_framework.test import APIClient

from tests import make
from tests.conftest import with_token


@pytest.fixture
def anyone():
    return APIClient()


@pytest.fixture
def user():
    return make.user()


@pytest.fixture
def chat(user):
    """The API as one user sees it."""
    return with_token(user)
