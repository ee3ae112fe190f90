"""The errors that a caller can act on. Each face translates them in one place."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django.apps import apps
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

if TYPE_CHECKING:
    from housekeeping.models import Run

Thing = TypeVar("Thing")


class HousekeepingError(Exception):
    """Its text is a sentence for people, in the language of the current request."""


class ReadLater(HousekeepingError):
    """Its text and its ``reason``, marked by ``gettext_noop``, are translated when they are read.

    For errors that are raised while the site loads, when nothing can be translated yet, and for errors
    that are also stored or logged: rows and logs take ``english``.
    """

    def __init__(self, text: str, *, reason: str = "", **facts: object) -> None:
        super().__init__(text)
        self.reason, self.facts = reason, facts

    def __str__(self) -> str:
        return self._filled(_) if apps.apps_ready else self.english

    @property
    def english(self) -> str:
        return self._filled(str)

    def _filled(self, say: Callable[[str], str]) -> str:
        return say(self.args[0]) % {"reason": say(self.reason), **self.facts}


class BadTrigger(ReadLater):
    """A trigger that can't be read, or that never fires."""


class UnknownTask(HousekeepingError):
    """No task of that name is declared in this version of the site."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(_("There is no task %(name)s; choose one of %(known)s.") % _named(name, known))


class UnknownSchedule(HousekeepingError):
    """No schedule of that id is declared in this version of the site."""

    def __init__(self, schedule_id: str, known: list[str]) -> None:
        super().__init__(
            _("There is no schedule %(name)s; choose one of %(known)s.") % _named(schedule_id, known)
        )


class UnknownPolicy(HousekeepingError):
    """No policy of that name is declared in this version of the site."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(_("There is no policy %(name)s; choose one of %(known)s.") % _named(name, known))


class BadRetention(HousekeepingError):
    """A retention that can't be used, or a policy that has none."""


class BadPlace(HousekeepingError):
    """Not a place in a list: the address was mistyped or made up."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place!r} is not a place in this list.")


class CannotPreview(HousekeepingError):
    """The task has no dry run: it would be carried out for real."""

    def __init__(self, task: str, *, is_declared: bool) -> None:
        if is_declared:
            text = _("The task %(task)s has no dry run: it is declared with has_dry_run=False.")
        else:
            text = _(
                "The task %(task)s has no dry run: its function takes none of purge, mail and measure,"
                " so it would be carried out."
            )
        super().__init__(text % {"task": repr(task)})


class PlanInDryRun(HousekeepingError):
    """A dry run was asked to carry out a plan."""

    def __init__(self) -> None:
        super().__init__("A dry run makes a plan; it can't carry one out.")


class AmbiguousPolicy(HousekeepingError):
    """Two policies have this name."""

    def __init__(self, policy: str) -> None:
        text = _("Two policies are called %(policy)s: give one of them another name.")
        super().__init__(text % {"policy": repr(policy)})


class PolicyFailed(HousekeepingError):
    """A policy's rows can't be counted, as it raised an error: ``reason`` is its kind and its message."""

    def __init__(self, policy: str, reason: str) -> None:
        text = _("The rows of the policy %(policy)s can't be counted: %(error)s")
        super().__init__(text % {"policy": policy, "error": reason})
        self.reason = reason


class HookFailed(HousekeepingError):
    """A policy's ``on_deleted`` has raised an error. The rows are deleted, and the call is made again."""

    def __init__(self, policy: str, rows: int, reason: str) -> None:
        text = _(
            "on_deleted of the policy %(policy)s failed for %(rows)s deleted rows, and is called again by the"
            " next run: %(error)s"
        )
        super().__init__(text % {"policy": repr(policy), "rows": rows, "error": reason})


class ReceiverFailed(HousekeepingError):
    """A receiver of a delete signal has raised an error. The batch is rolled back."""

    def __init__(self, signal: str, model: str, reason: str) -> None:
        text = _("A receiver of %(signal)s for %(model)s failed, so its batch was rolled back: %(error)s")
        super().__init__(text % {"signal": signal, "model": model, "error": reason})


class EndRefused(HousekeepingError):
    """What a policy declares as the end of its rows can't be done, whatever the rows are."""

    def __init__(self, policy: str, reason: str) -> None:
        text = _("The policy %(policy)s can't be carried out: %(reason)s.")
        super().__init__(text % {"policy": repr(policy), "reason": reason})


class EndFailed(HousekeepingError):
    """Rows can't get the values that their policy gives them. The batch is rolled back."""

    def __init__(self, policy: str, reason: str) -> None:
        text = _("The policy %(policy)s can't change its rows, so their batch was rolled back: %(reason)s")
        super().__init__(text % {"policy": repr(policy), "reason": reason})


class ExportFailed(HousekeepingError):
    """Rows could not be exported, or an export not be read. The text says why, in English."""


class StatisticFailed(HousekeepingError):
    """A statistic can't be counted. ``reason``: what its function raised, or returned instead."""

    def __init__(self, statistic: str, reason: str) -> None:
        text = _("The statistic %(statistic)s can't be counted: %(error)s")
        super().__init__(text % {"statistic": statistic, "error": reason})
        self.reason = reason


class RowsStayed(HousekeepingError):
    """The database has not deleted rows as it was asked to. The batch is rolled back."""

    def __init__(self, table: str, rows: int) -> None:
        text = ngettext(
            "The database keeps %(rows)s row of %(table)s that was to be deleted, perhaps by a trigger."
            " Nothing was changed in this batch.",
            "The database keeps %(rows)s rows of %(table)s that were to be deleted, perhaps by a trigger."
            " Nothing was changed in this batch.",
            rows,
        )
        super().__init__(text % {"rows": f"{rows:,}", "table": table})


class WrongDatabase(HousekeepingError):
    """Rows below the policy's rows are written to another database than these."""

    def __init__(self, policy: str, reason: str) -> None:
        text = _("The policy %(policy)s can't be carried out: %(reason)s.")
        super().__init__(text % {"policy": repr(policy), "reason": reason})


class NotMigrated(HousekeepingError):
    """The database of a policy's rows lacks the table that a purge needs beside them."""

    def __init__(self, database: str) -> None:
        text = _(
            "The database %(database)s lacks the table of handovers: run migrate housekeeping"
            " --database=%(database)s."
        )
        super().__init__(text % {"database": database})


class WriteInDryRun(HousekeepingError):
    """A task tried to write during a dry run. The statement was not executed."""

    def __init__(self, statement: str, database: str) -> None:
        text = _("A dry run must not write, but the task tried %(statement)s on the database %(database)s.")
        super().__init__(text % {"statement": statement, "database": repr(database)})


class TransactionLeftOpen(HousekeepingError):
    """A task began a transaction by hand and did not end it. The transaction was rolled back."""

    def __init__(self, database: str) -> None:
        text = _(
            "The task has left a transaction open on the database %(database)s: a BEGIN without COMMIT or"
            " ROLLBACK."
        )
        super().__init__(text % {"database": repr(database)})


class RunInProgress(HousekeepingError):
    """The task has a run already, queued or running: ``run``."""

    def __init__(self, run: "Run") -> None:
        text = _("The task %(task)s is %(status)s already, as run %(run)s.")
        super().__init__(text % {"task": repr(run.task), "status": _(run.status), "run": run.pk})
        self.run = run


class UnknownTable(HousekeepingError):
    """No table of that name was there when the tables were measured last."""

    def __init__(self, name: str) -> None:
        text = _("There is no table %(name)s, or it has not been measured yet.")
        super().__init__(text % {"name": repr(name)})


class BadSize(HousekeepingError):
    """A size that can't be read."""


class BadColumn(HousekeepingError):
    """A column that is not one of the model's dates."""


class BadField(HousekeepingError):
    """Something can't be made or changed as asked, because of this ``field``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


class BadHold(BadField):
    """A hold that can't be made or changed as asked."""


class BadChannel(BadField):
    """A channel that can't be made or changed as asked."""


class UnknownChannel(HousekeepingError):
    """No channel has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(_("There is no channel %(name)s.") % {"name": repr(name)})


class AddressRefused(HousekeepingError):
    """The site must not send messages to this address."""


class AlreadyRequested(HousekeepingError):
    """The same person has made this request before, with the same idempotency key: ``run``."""

    def __init__(self, run: "Run") -> None:
        super().__init__(_("This was requested already, as run %(run)s.") % {"run": run.pk})
        self.run = run


class KeyReused(HousekeepingError):
    """The idempotency key belongs to an earlier, different request."""

    def __init__(self, key: str, run: "Run") -> None:
        text = _("The idempotency key %(key)s was used for a different request, run %(run)s: use a new one.")
        super().__init__(text % {"key": repr(key), "run": run.pk})


class NotPossible(HousekeepingError):
    """The state of the run does not allow it: a run that has ended can't be cancelled, for example."""


class NotAllowed(HousekeepingError):
    """The user lacks the right to do this."""


class QueueUnreachable(ReadLater):
    """The queue's storage does not answer, so no consumer could be told of the run."""


class DatabaseUnreachable(ReadLater):
    """The database can't be reached or can't be written to. Nothing is wrong with the request."""


class RowsLeft(HousekeepingError):
    """A purge went through, but rows are still past due."""


class RunStopped(HousekeepingError):
    """Ends a task between two batches. A task must not catch it. Committed batches stay."""


class Cancelled(RunStopped):
    """Someone asked for the run to be cancelled."""


class BrakeApplied(RunStopped):
    """The run would delete suspiciously many rows. Nothing is deleted until somebody approves it."""


class ConsumerStopping(RunStopped):
    """The consumer was told to stop; the rest of the run is handed back to the queue."""


class ClaimLost(RunStopped):
    """The run was taken back while this consumer was stalled; another consumer finishes it."""


def _named(name: str, known: list[str]) -> dict[str, str]:
    return {"name": repr(name), "known": ", ".join(known)}


# PostgreSQL: read-only, such as a standby after a failover. SQLite: a read-only file.
READ_ONLY = ("25006", sqlite3.SQLITE_READONLY)
# A full or failing disk, or a lock timeout: the next try may succeed.
NO_WRITES = (*READ_ONLY, "53100", sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY)


def is_database_gone(error: BaseException, *, of: Any = connection) -> bool:
    """Is a connection lost or the database read-only? Then nothing is wrong with the request."""
    if _code_of(error) in READ_ONLY:
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return of.connection is None or not of.is_usable()


def takes_no_writes(error: BaseException) -> bool:
    """Does the database answer, but refuse to write at the moment?"""
    return _code_of(error) in NO_WRITES


def is_busy(error: BaseException) -> bool:
    """Has another connection held SQLite's write lock for longer than the timeout?"""
    return _code_of(error) == sqlite3.SQLITE_BUSY


def outage_of(error: BaseException) -> DatabaseUnreachable | None:
    """The outage of the database that has caused ``error``; None if something else has caused it.

    Closes the connection: after a failover, a new one may reach a server that accepts writes.
    """
    if takes_no_writes(error):
        outage = DatabaseUnreachable(
            gettext_noop("The database can't be written to at the moment. Please try again later.")
        )
    elif is_database_gone(error):
        outage = DatabaseUnreachable(gettext_noop("The database can't be reached. Please try again later."))
    else:
        return None
    if not connection.in_atomic_block:
        connection.close()
    return outage


def _code_of(error: BaseException) -> str | int:
    """PostgreSQL's SQLSTATE, or SQLite's primary result code."""
    if not isinstance(error, DatabaseError):
        return ""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorcode", 0) & 0xFF


def each(things: Iterable[Thing], step: Callable[[Thing], object]) -> None:
    """Call ``step`` with each of ``things``, even if an earlier call failed.

    Raises the first error after the last call.
    """
    first: Exception | None = None
    for thing in things:
        try:
            step(thing)
        except Exception as error:
            first = first or error
    if first:
        raise first
