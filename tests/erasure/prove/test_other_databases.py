"""Each statement of an erasure in two databases, and each moment between two commits, is once the last.

A hundred of them, others each day, as all take half an hour; TRIES=80 tries all.
"""

import pytest

from tests.erasure.prove.numbers import of_today
from tests.erasure.test_other_databases import _apart, statements, survives_a_kill_before  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]


def test_a_kill_at_every_statement_ends_the_same():
    for number in of_today(statements()):
        survives_a_kill_before(number)
