"""Each statement of an erasure in two databases, and each moment between two commits, is once the last.

A third of them each day, as they take minutes; TRIES=80 tries all.
"""

import os

import pytest
from django.utils import timezone

from tests.erasure.test_other_databases import _apart, statements, survives_a_kill_before  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]


def test_a_kill_at_every_statement_ends_the_same():
    step = 1 if int(os.environ.get("TRIES", "1")) >= 80 else 3
    for number in range(timezone.now().toordinal() % step, statements(), step):
        survives_a_kill_before(number)
