"""Rows in another database: a kill before each single statement, and between the two commits of each batch,
loses and doubles nothing.

On PostgreSQL: TEST_DATABASE=postgres.
"""

import pytest

from tests.engine import test_promises as promises
from tests.engine.effects import test_hooks as hooks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("purged_apart")]


def test_a_kill_anywhere_in_a_purge_ends_the_same():
    for number in range(promises.statements_of_a_purge()):
        promises.purge_killed_before(number)


def test_a_kill_anywhere_in_an_undo_ends_the_same():
    for number in range(promises.statements_of_an_undo()):
        promises.undo_killed_before(number)


def test_a_kill_anywhere_loses_no_call_of_on_deleted(add_task):
    add_task("entries", lambda purge: {"deleted": purge(hooks.POLICY)}, policy=hooks.POLICY)

    for number in range(hooks.statements()):
        hooks.killed_before(number)
