"""Triggers and declared names in the language of the reader.

Logs, the API and commands always have them in English.
"""

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import (
    get_language,
    gettext,
    gettext_lazy,
    gettext_noop,
    ngettext,
    pgettext_lazy,
)

from housekeeping.declared.triggers import At, Every, Trigger
from housekeeping.models import Run
from housekeeping.reading import words

# Names and descriptions from tasks.py, for the catalogue. Others are shown as they are declared.
DECLARED = (
    gettext_noop("Tidy history"),
    gettext_noop("Verify archives"),
    gettext_noop(
        "Delete expired archives, plans, holds, tokens and sessions, and history older than 90 days."
    ),
    gettext_noop("Verify the archives that purges have made since the last verification."),
    gettext_noop("History Cleanup"),
    gettext_noop("Archive Verification"),
    gettext_noop("History tidied"),
    gettext_noop("Archives verified"),
    gettext_noop("Delete files"),
    gettext_noop("Delete the files of rows that can't be put back any more, where their policy asks for it."),
    gettext_noop("File Cleanup"),
    gettext_noop("Files deleted"),
    gettext_noop("deleted files"),
    gettext_noop("files still named"),
    gettext_noop("failed files"),
    gettext_noop("refused files"),
    gettext_noop("files of unknown fields"),
    gettext_noop("Carry out erasures"),
    gettext_noop("Carry out the erasures of people that are not finished yet."),
    gettext_noop("Erasures carried out"),
    gettext_noop("finished erasures"),
    gettext_noop("stopped erasures"),
    gettext_noop("Read exports"),
    gettext_noop("Read exports that are to be imported. An undo of the run puts their rows back."),
    gettext_noop("Exports read"),
    gettext_noop("read exports"),
    gettext_noop("read rows"),
    gettext_noop("deleted archives"),
    gettext_noop("deleted plans"),
    gettext_noop("deleted holds"),
    gettext_noop("deleted runs"),
    gettext_noop("deleted snapshots"),
    gettext_noop("deleted consumers"),
    gettext_noop("deleted tokens"),
    gettext_noop("deleted sessions"),
    gettext_noop("deleted user sessions"),
    gettext_noop("deleted sign ins"),
    gettext_noop("deleted acts"),
    gettext_noop("deleted deliveries"),
    gettext_noop("deleted incidents"),
    gettext_noop("errors"),
    gettext_noop("restored"),
)


# Why an expired row stays, by the name that plans and receipts store.
_SKIPPED = {
    "held": gettext_lazy("Skipped (on hold)"),
    "protected": gettext_lazy("Skipped (other rows protect it)"),
}


def skipped(reason: str) -> str:
    """``reason``: a key of ``held_back``. Another version of the site may have stored any."""
    return str(_SKIPPED.get(reason) or gettext("Skipped (%(reason)s)") % {"reason": reason})


def declared(text: str) -> str:
    """A declared name, translated if the catalogue has it."""
    return gettext(text) if text else ""


def title_of(task: str) -> str:
    """The title of the task with this name; the name if it is no longer declared."""
    return words.title_of(task)


RESULTS = 3  # numbers of a result that fit into a line


def result(run: Run) -> str:
    """The numbers of its result in one line. What a dry run counted never looks like a deletion.

    The number comes before its name, so that it is seen where a long name is cut off.
    """
    numbers = run.result_lines()[:RESULTS]
    text = ", ".join(f"{_number(value)} {declared(name)}" for name, value in numbers)
    return gettext("would be: %(result)s") % {"result": text} if run.dry_run and text else text


def _number(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return words.number(value) if is_number else str(value)  # type: ignore[arg-type]


def put_off(run: Run) -> str:
    """What an automatic retry that is not due yet waits for; empty for any other run."""
    if not run.is_put_off or run.not_before is None:
        return ""
    time = time_format(timezone.localtime(run.not_before), "H:i")
    facts = {**words.retry_numbers(run), "time": time}
    return gettext("Automatic retry %(number)s of %(most)s, due at %(time)s") % facts


def date(at: Any, pattern: str) -> str:
    """As Django's filter, with the day of a month as the reader's language writes it: ``29. Nov.``"""
    for english in ("D j M", "j M"):
        if english in pattern:
            translated = _DAYS[english]
            return str(date_format(at, pattern.replace(english, str(translated))))
    return str(date_format(at, pattern))


# Formats of Django's filter "date".
_DAYS = {"D j M": pgettext_lazy("format of a date", "D j M"), "j M": pgettext_lazy("format of a date", "j M")}


def described(trigger: Trigger) -> str:
    """When it fires: as :meth:`Trigger.describe`, in the reader's language."""
    if (get_language() or "en").startswith("en"):
        return trigger.describe()
    pattern = trigger.pattern()
    if isinstance(pattern, Every):
        return _every(pattern.number, pattern.unit)
    if isinstance(pattern, At):
        facts = {"time": time_format(pattern.time, "H:i"), "days": _days(pattern)}
        return gettext("on %(days)s at %(time)s") % facts if pattern.days else gettext("at %(time)s") % facts
    return gettext("by cron %(expression)s") % {"expression": pattern.expression}


def _every(count: int, unit: str) -> str:
    texts = {
        "day": ngettext("every day", "every %(n)s days", count),
        "hour": ngettext("every hour", "every %(n)s hours", count),
        "minute": ngettext("every minute", "every %(n)s minutes", count),
        "second": ngettext("every second", "every %(n)s seconds", count),
    }
    return texts[unit] % {"n": count}


def _days(pattern: At) -> str:
    """``Monday to Friday and Sunday``, with Django's names of the days."""
    to, plus = gettext("to"), gettext("and")
    return f" {plus} ".join(f" {to} ".join(map(gettext, span)) for span in pattern.days)
