"""The steps of a task: run several as one task, and let a long task stop between two of them."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from housekeeping.database import discreet
from housekeeping.exceptions import RunStopped, is_database_gone

logger = logging.getLogger(__name__)

Checkpoint = Callable[[], None]
"""A long task calls it between two steps. It raises RunStopped if the task is to end there."""


def no_checkpoint() -> None:
    """The checkpoint of a task that is called from a shell: nothing stops it there."""


class TaskResult(dict[str, Any]):
    """A task's result that also carries the errors of its steps: with any, the run counts as failed."""

    failures: list[Exception]


def run_steps(**steps: Callable[[], Any]) -> TaskResult:
    """Run each step, even if an earlier one failed, and merge their results.

    A result that is not an object, such as a number, is stored under its step's name. A failed
    step is listed under ``errors`` with its error. A lost database does not count as the step's
    failure: the error is raised, and the run resumes once the database is back.
    """
    merged = TaskResult()
    merged.failures = []
    for name, step in steps.items():
        try:
            result = step()
            if isinstance(result, Mapping):
                merged |= result
            elif result is not None:
                merged[name] = result
        except RunStopped:
            raise
        except Exception as error:
            if is_database_gone(error):
                raise
            discreet.clean(error)
            logger.exception("The step %s failed; the next ones still run", name)
            merged.setdefault("errors", {})[name] = f"{type(error).__name__}: {error}"
            merged.failures.append(error)
    return merged
