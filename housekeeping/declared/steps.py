"""The steps of a task: several tasks as one, and where a long one may stop."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from housekeeping.database import discreet
from housekeeping.exceptions import RunStopped, is_database_gone

logger = logging.getLogger(__name__)

Checkpoint = Callable[[], None]
"""What a long task is handed to call between two steps: raises RunStopped where it is to end."""


def go_on() -> None:
    """The checkpoint of a task that is called in a shell: nobody stops it there."""


class Outcome(dict[str, Any]):
    """A task's result that also carries what went wrong in it: the run counts as failed."""

    failures: list[Exception]


def in_turn(**steps: Callable[[], Any]) -> Outcome:
    """Run each step even if one before it failed, and merge their results.

    A result that is no object, such as a number, stands under its step's name.

    A failed step is named under ``errors``, with what it raised. A lost database is no
    step's failure: it is raised, and the run resumed once the database is back.
    """
    outcome = Outcome()
    outcome.failures = []
    for name, step in steps.items():
        try:
            result = step()
            if isinstance(result, Mapping):
                outcome |= result
            elif result is not None:
                outcome[name] = result
        except RunStopped:
            raise
        except Exception as error:
            if is_database_gone(error):
                raise
            discreet.clean(error)
            logger.exception("The step %s failed; the next ones still run", name)
            outcome.setdefault("errors", {})[name] = f"{type(error).__name__}: {error}"
            outcome.failures.append(error)
    return outcome
