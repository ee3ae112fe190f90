import pytest

from housekeeping.declared import registry
from housekeeping.declared.steps import Checkpoint, no_checkpoint, run_steps
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def steps():
    """A long task of ten steps, and those that it has done."""
    done = []

    @registry.task("long")
    def take_ten_steps(checkpoint: Checkpoint = no_checkpoint):
        for step in range(10):
            checkpoint()
            done.append(step)
        return {"steps": len(done)}

    yield done
    del registry.TASKS["long"]


def carry_out(**options):
    return execution.execute(execution.claim(make.run("long").pk, 0), **options)


def test_a_task_that_takes_a_checkpoint_runs_to_its_end(steps):
    assert carry_out().result == {"steps": 10}


def test_a_failed_step_is_logged_with_its_traceback_and_the_next_ones_run(caplog):
    def leak():
        raise ValueError("the pipe burst")

    result = run_steps(first=leak, second=lambda: {"steps": 1})

    [record] = caplog.records
    assert (record.levelname, record.exc_info[0]) == ("ERROR", ValueError)
    assert result == {"errors": {"first": "ValueError: the pipe burst"}, "steps": 1}


def test_a_task_called_in_a_shell_needs_nobody_to_hand_it_a_checkpoint(steps):
    assert registry.find_task("long").function() == {"steps": 10}


def test_a_task_that_takes_a_checkpoint_is_handed_back_by_a_consumer_that_stops(steps):
    run = carry_out(should_stop=lambda: len(steps) == 4)

    assert (run.status, len(steps)) == ("queued", 4)


def test_a_task_that_takes_a_checkpoint_can_be_cancelled(steps):
    run = carry_out(watch=lambda run: len(steps) == 4 and control.cancel(run))

    assert (run.status, len(steps)) == ("cancelled", 4)
