"""A kill before each single statement of a purge and of an undo loses and doubles no row.

On PostgreSQL: TEST_DATABASE=postgres.
"""

import pytest

from tests.engine import test_promises as promises
from tests.engine.effects import test_hooks as hooks
from tests.engine.ends import test_anonymise_promises as anonymous
from tests.zoo import tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tasks(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with tasks.declared():
        yield


def test_a_kill_before_each_statement_of_a_purge_ends_the_same():
    for number in range(promises.statements_of_a_purge()):
        promises.purge_killed_before(number)


def test_a_kill_before_each_statement_of_an_undo_ends_the_same():
    for number in range(promises.statements_of_an_undo()):
        promises.undo_killed_before(number)


def test_a_kill_before_each_statement_loses_no_call_of_on_deleted(add_task):
    add_task("entries", lambda purge: {"deleted": purge(hooks.POLICY)}, policy=hooks.POLICY)

    for number in range(hooks.statements()):
        hooks.killed_before(number)


def test_a_kill_before_each_statement_loses_no_value_of_anonymous_rows():
    with anonymous.declared():
        for number in range(anonymous.statements()):
            anonymous.killed_before(number)
