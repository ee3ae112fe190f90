import pytest
from tests import make

pytestmark = pytest.mark.django_db


def test_x():
    make.conversation(age=make.days(31))
    make.run()
    make.consumer()
