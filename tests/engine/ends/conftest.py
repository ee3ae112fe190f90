"""What the tests of ends share."""

import pytest

from housekeeping.declared import registry
from housekeeping.runs import control
from tests.zoo.tasks import carry_out, task_of


@pytest.fixture
def run_of():
    """Carries out a policy as a run."""
    declared = []

    def carry(policy, batch_size=None, **options):
        if policy.name not in registry.TASKS:
            registry.task(policy=policy)(task_of(policy))
            declared.append(policy.name)
        return carry_out(
            control.request(policy.name, send=lambda run: None, **options), batch_size=batch_size
        )

    yield carry
    for name in declared:
        del registry.TASKS[name]
