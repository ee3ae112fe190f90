from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.models import Consumer
from tests import make

pytestmark = pytest.mark.django_db


def test_a_consumer_is_alive_while_it_beats():
    fresh = make.consumer(age=timedelta(seconds=29))
    make.consumer(age=timedelta(seconds=31))
    make.consumer(stopped_at=timezone.now())

    assert list(Consumer.objects.alive(timezone.now())) == [fresh]


def test_a_heartbeat_from_the_future_is_no_sign_of_life():
    ahead = make.consumer(age=timedelta(days=-3))
    a_little = make.consumer(age=timedelta(seconds=-5))

    now = timezone.now()

    assert list(Consumer.objects.alive(now)) == [a_little]
    assert (ahead.is_alive(now), a_little.is_alive(now)) == (False, True)
