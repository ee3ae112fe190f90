"""The errors that a caller can act on. Each face translates them in one place."""

from typing import TYPE_CHECKING

from django.db import InterfaceError, OperationalError, connection

if TYPE_CHECKING:
    from housekeeping.models import Run


class HousekeepingError(Exception):
    """Its text is a sentence for the operator."""


class BadTrigger(HousekeepingError):
    """A trigger that can't be read, or that never fires."""


class UnknownTask(HousekeepingError):
    """No task of that name is declared in this version of the site."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no task {name!r}; there are {', '.join(known)}.")


class UnknownSchedule(HousekeepingError):
    """No schedule of that id is declared in this version of the site."""

    def __init__(self, schedule_id: str, known: list[str]) -> None:
        super().__init__(f"There is no schedule {schedule_id!r}; there are {', '.join(known)}.")


class UnknownPolicy(HousekeepingError):
    """No policy of that name is declared in this version of the site."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no policy {name!r}; there are {', '.join(known)}.")


class BadRetention(HousekeepingError):
    """A retention that can't be used, or a policy that has none."""


class BadPlace(HousekeepingError):
    """A place in a list that no page of it has given."""


class RunInProgress(HousekeepingError):
    """The task has a run already, queued or running: ``run``."""

    def __init__(self, run: "Run") -> None:
        super().__init__(f"The task {run.task!r} is {run.status} already, as run {run.pk}.")
        self.run = run


class BadHold(HousekeepingError):
    """A hold that can't be made or changed as asked, because of this ``field``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


class AlreadyRequested(HousekeepingError):
    """The same was asked for before, by the same person under the same idempotency key: ``run``."""

    def __init__(self, run: "Run") -> None:
        super().__init__(f"This was asked for already, as run {run.pk}.")
        self.run = run


class KeyReused(HousekeepingError):
    """An idempotency key that stands for another request already."""

    def __init__(self, key: str, run: "Run") -> None:
        super().__init__(
            f"The idempotency key {key!r} stands for another request, run {run.pk}: use a new one."
        )


class NotPossible(HousekeepingError):
    """The run is not in a state for that: one that ended can't be cancelled, for example."""


class NotAllowed(HousekeepingError):
    """It needs a right that whoever asks lacks."""


class QueueUnreachable(HousekeepingError):
    """The queue's storage doesn't answer, so that no consumer would hear of the run."""


class RowsLeft(HousekeepingError):
    """A purge went through, and rows are past due still."""


class RunStopped(HousekeepingError):
    """Ends a task between two batches. A task lets it pass: what is committed stays."""


class Cancelled(RunStopped):
    """Someone asked for the run to be cancelled."""


class BrakeApplied(RunStopped):
    """The run would delete more than looks right. Nothing is deleted until somebody approves."""


class ConsumerStopping(RunStopped):
    """The consumer was told to stop; the rest of the run is handed back to the queue."""


class ClaimLost(RunStopped):
    """The run was taken back while this consumer was stalled; it is another's to finish."""


def is_database_gone(error: BaseException) -> bool:
    """Did ``error`` come of a lost connection, and not of what was asked of the database?"""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return connection.connection is None or not connection.is_usable()
