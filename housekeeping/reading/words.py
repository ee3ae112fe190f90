"""Numbers, rows and runs in words, the same on pages, in the API and in commands."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from math import ceil

from django.apps import apps
from django.utils.formats import number_format
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext

from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import TASKS
from housekeeping.models import Run, in_words
from housekeeping.reading import ends


def number(value: float) -> str:
    return str(number_format(value, use_l10n=True, force_grouping=True))


# --- Rows -------------------------------------------------------------------------------------


def rows(count: int) -> str:
    return ngettext("%(n)s row", "%(n)s rows", count) % {"n": number(count)}


def tables(rows_of: Mapping[str, int]) -> str:
    """``1,204 conversations and 9,873 chat messages``, or ``no rows``."""
    parts = [f"{number(rows)} {_rows_of(table, rows)}" for table, rows in rows_of.items() if rows]
    return get_text_list(parts, gettext("and")) if parts else gettext("no rows")


def _rows_of(table: str, rows: int) -> str:
    try:
        meta = apps.get_model(table)._meta
    except (LookupError, ValueError):  # a table that this version of the site doesn't have
        return table
    return gettext(str(meta.verbose_name if rows == 1 else meta.verbose_name_plural))


def in_use(rows: int) -> str:
    """A sentence about rows that somebody had locked, after a space; empty if there are none."""
    text = ngettext(
        "%(n)s row was in use and stays for the next run.",
        "%(n)s rows were in use and stay for the next run.",
        rows,
    )
    return " " + text % {"n": number(rows)} if rows else ""


def planned(run: Run) -> str:
    """The rows of the run's plan, by table."""
    return tables(own_first(run.plan_tables, run.plan))


def removed(run: Run) -> str:
    """The rows that the run has deleted, by table."""
    return tables(own_first(run.removed, run.receipt))


def own_first(rows_of: Mapping[str, int], policies: Iterable[str]) -> dict[str, int]:
    """``rows_of`` with the policies' own tables first: a database may store keys in any order."""
    known = registry.policies()
    models = [known[name].known_model for name in policies if name in known]
    own = {model._meta.label for model in models if model}
    return dict(sorted(rows_of.items(), key=lambda table: table[0] not in own))


def unusual(run: Run) -> list[str]:
    """Sentences about how the run differs from its task's usual runs; none if it doesn't."""
    told = []
    if run.usual_seconds is not None and run.duration:
        facts = {"took": run.took, "usual": in_words(timedelta(seconds=run.usual_seconds))}
        told.append(gettext("It took %(took)s, usually %(usual)s.") % facts)
    if run.usual_rows is not None:
        facts = {"rows": rows(run.purged), "usual": number(run.usual_rows)}
        told.append(ends.told(run, "It deleted %(rows)s, usually %(usual)s.") % facts)
    return told


# --- Retentions -------------------------------------------------------------------------------


def days(number_of_days: float) -> str:
    """``1 day``, ``30 days``"""
    return ngettext("%(days)s day", "%(days)s days", ceil(number_of_days)) % {"days": number(number_of_days)}


def kept(ends: Mapping[str, float | None]) -> str:
    """How long owners want rows to be kept, from the shortest to the longest retention."""
    shortest, longest = ends["shortest_days"], ends["longest_days"]
    if shortest is None:
        return gettext("as long as each owner wants")
    if longest is None:
        return gettext("%(days)s or longer, by owner") % {"days": days(shortest)}
    if shortest == longest:
        return gettext("%(days)s, by owner") % {"days": days(shortest)}
    text = gettext("%(shortest)s to %(longest)s, by owner")
    return text % {"shortest": number(shortest), "longest": days(longest)}


def stays(policy: Policy) -> str:
    """What the policy keeps by its number; empty if it keeps nothing so."""
    if policy.at_most:
        return gettext("the newest %(rows)s stay") % {"rows": rows(policy.at_most)}
    if policy.keep_newest:
        facts = {"rows": rows(policy.keep_newest), "owner": ", ".join(policy.owner_names)}
        return gettext("the newest %(rows)s of each %(owner)s stay") % facts
    return ""


# --- Tasks and runs ---------------------------------------------------------------------------


def title_of(task: str) -> str:
    """The title of the task with this name; the name if it is no longer declared."""
    return gettext(TASKS[task].title) if task in TASKS else task


def message(run: Run) -> str:
    """A sentence about the state of a run, for the person who requested it."""
    task = TASKS.get(run.task)
    words = {
        Run.Status.QUEUED: gettext("%(task)s: waiting for a consumer"),
        Run.Status.RUNNING: gettext("%(task)s: running"),
        Run.Status.HELD: gettext("%(task)s: held for approval"),
        Run.Status.SUCCEEDED: gettext("%(task)s: done"),
        Run.Status.FAILED: gettext("%(task)s: failed"),
        Run.Status.CANCELLED: gettext("%(task)s: cancelled"),
        Run.Status.MISSED: gettext("%(task)s: missed"),
    }[Run.Status(run.status)]
    title = task.title if task else run.task
    name = _undo_of(title) if run.undo_of_id else gettext(title)
    if run.status == Run.Status.SUCCEEDED:
        if run.undo_of_id:
            words = gettext("%(task)s: rows restored")
        elif run.dry_run:
            words = ends.told(run, "%(task)s: a dry run, nothing was deleted")
        elif task:
            return gettext(task.done)
    return words % {"task": name}


def retry_numbers(retry: Run) -> dict[str, int]:
    """The ``number`` of an automatic retry, and ``most`` as many as there may be.

    A task that is declared with fewer retries now still has those that it opened before.
    """
    number = retry.retry_number or 0
    declared = TASKS[retry.task].retries if retry.task in TASKS else 0
    return {"number": number, "most": max(number, declared)}


def _undo_of(title: str) -> str:
    name = gettext(title)
    if name == title:  # a translation may begin with a noun, which German writes with a capital
        name = f"{title[:1].lower()}{title[1:]}"
    return gettext("Undo of %(task)s") % {"task": name}
