"""Each statement of an erasure is the last one before a kill, once.

A hundred of them, others each day, as all take half an hour; TRIES=80 tries all.
"""

import pytest

from tests.erasure.prove.numbers import of_today
from tests.erasure.test_kills import _settings, clean, statements, survives_a_kill_before  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]


def test_a_kill_at_every_statement_ends_the_same(clean):  # noqa: F811
    for number in of_today(statements()):
        clean()
        survives_a_kill_before(number)
