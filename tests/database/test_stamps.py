"""Rows are stamped by the database, whichever version of Django writes them."""

import pytest
from django.db import connection
from django.db.models.expressions import DatabaseDefault
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import Conversation
from housekeeping.models import Hold
from tests import make

pytestmark = pytest.mark.django_db


def test_a_stamp_is_part_of_the_insert_as_not_every_table_has_the_default():
    with CaptureQueriesContext(connection) as queries:
        made = Hold.objects.create(model="chat.User", key="1", reason="evidence")

    assert '"made_at"' in queries.captured_queries[-1]["sql"]
    assert not isinstance(made.made_at, DatabaseDefault)
    assert abs(made.made_at - timezone.now()).total_seconds() < 60


def test_a_moment_that_is_given_is_kept():
    long_ago = make.ago(days=3)

    assert Conversation.objects.create(user=make.user(), created_at=long_ago).created_at == long_ago


def test_many_rows_at_once_are_stamped_too():
    Hold.objects.bulk_create(Hold(model="chat.User", key=str(key), reason="evidence") for key in range(3))

    assert all(hold.made_at for hold in Hold.objects.all())
