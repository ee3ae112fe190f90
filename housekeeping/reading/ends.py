"""What is said of rows that a policy deletes, of those that are made anonymous instead, and of imported ones.

Faces ask with the sentence about deleted rows, and get the one that is true.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import F, Func, Q, Value
from django.db.models.functions import Concat
from django.db.models.functions.text import ConcatPair
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from housekeeping.declared.ends import Anonymise, End
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import TASKS, Task
from housekeeping.models import Run

DELETED, ANONYMOUS, BOTH, READ = "deleted", "anonymous", "both", "read"
KINDS = {"anonymise": ANONYMOUS, "import": READ}  # by ``then`` of a receipt or a plan

# By what is said of deleted rows: what is said of rows that are made anonymous, and of some of each.
INSTEAD = {
    _("Deletes exactly the rows listed in this preview."): (
        _("Makes exactly the rows listed in this preview anonymous."),
        _("Deletes, or makes anonymous, exactly the rows listed in this preview."),
    ),
    _("Deletes exactly the rows listed in this preview: %(rows)s."): (
        _("Makes exactly the rows listed in this preview anonymous: %(rows)s."),
        _("Deletes, or makes anonymous, exactly the rows listed in this preview: %(rows)s."),
    ),
    _("Deletes exactly the rows of its plan: %(rows)s."): (
        _("Makes exactly the rows of its plan anonymous: %(rows)s."),
        _("Deletes, or makes anonymous, exactly the rows of its plan: %(rows)s."),
    ),
    _("Delete them"): (_("Make them anonymous"), _("Delete, or make anonymous")),
    _("Delete everything that is eligible?"): (
        _("Make everything that is eligible anonymous?"),
        _("Delete, or make anonymous, everything that is eligible?"),
    ),
    _("Delete everything eligible"): (
        _("Make everything eligible anonymous"),
        _("Delete, or make anonymous"),
    ),
    _("Nothing is eligible for deletion at the moment."): (
        _("Nothing is to be made anonymous at the moment."),
        _("Nothing is to be deleted or made anonymous at the moment."),
    ),
    _("The run deletes what is eligible when it starts."): (
        _("The run makes anonymous what is eligible when it starts."),
        _("The run deletes, or makes anonymous, what is eligible when it starts."),
    ),
    _("Delete %(rows)s?"): (_("Make %(rows)s anonymous?"), _("Delete, or make anonymous: %(rows)s?")),
    _("Counts what would be deleted now. Deletes nothing."): (
        _("Counts what would be made anonymous now. Changes nothing."),
        _("Counts what would be deleted or made anonymous now. Changes nothing."),
    ),
    _("Counts what would be deleted now, and saves it as a plan. Deletes nothing."): (
        _("Counts what would be made anonymous now, and saves it as a plan. Changes nothing."),
        _("Counts what would be deleted or made anonymous now, and saves it as a plan. Changes nothing."),
    ),
    _("Carries out the plan as a new run: deletes %(rows)s."): (
        _("Carries out the plan as a new run: makes %(rows)s anonymous."),
        _("Carries out the plan as a new run: deletes, or makes anonymous, %(rows)s."),
    ),
    _("Stops after the current batch; %(rows)s deleted so far stay deleted."): (
        _("Stops after the current batch; %(rows)s made anonymous so far stay anonymous."),
        _("Stops after the current batch; %(rows)s deleted or made anonymous so far stay so."),
    ),
    _("%(rows)s deleted so far stay deleted."): (
        _("%(rows)s made anonymous so far stay anonymous."),
        _("%(rows)s deleted or made anonymous so far stay so."),
    ),
    _("Stops after the current batch; nothing has been deleted so far."): (
        _("Stops after the current batch; nothing has been changed so far."),
        _("Stops after the current batch; nothing has been changed so far."),
    ),
    _("Removes it from the queue; it has deleted nothing."): (
        _("Removes it from the queue; it has changed nothing."),
        _("Removes it from the queue; it has changed nothing."),
    ),
    _("It counts what would be deleted, and deletes nothing."): (
        _("It counts what would be made anonymous, and changes nothing."),
        _("It counts what would be deleted or made anonymous, and changes nothing."),
    ),
    _("It is running; %(rows)s are deleted so far."): (
        _("It is running; %(rows)s are made anonymous so far."),
        _("It is running; %(rows)s are deleted or made anonymous so far."),
    ),
    _("A dry run: %(rows)s would be deleted. Nothing was deleted."): (
        _("A dry run: %(rows)s would be made anonymous. Nothing was changed."),
        _("A dry run: %(rows)s would be deleted or made anonymous. Nothing was changed."),
    ),
    _("%(rows)s deleted in %(took)s."): (
        _("%(rows)s made anonymous in %(took)s."),
        _("%(rows)s deleted or made anonymous in %(took)s."),
    ),
    _("No rows were deleted. It took %(took)s."): (
        _("No rows were made anonymous. It took %(took)s."),
        _("No rows were deleted or made anonymous. It took %(took)s."),
    ),
    _("No rows were eligible for deletion. It took %(took)s."): (
        _("No rows were to be made anonymous. It took %(took)s."),
        _("No rows were to be deleted or made anonymous. It took %(took)s."),
    ),
    _("It failed after %(took)s; %(rows)s were deleted before that."): (
        _("It failed after %(took)s; %(rows)s were made anonymous before that."),
        _("It failed after %(took)s; %(rows)s were deleted or made anonymous before that."),
    ),
    _("It failed after %(took)s, and deleted nothing."): (
        _("It failed after %(took)s, and changed nothing."),
        _("It failed after %(took)s, and changed nothing."),
    ),
    _("Cancelled; %(rows)s were deleted before that."): (
        _("Cancelled; %(rows)s were made anonymous before that."),
        _("Cancelled; %(rows)s were deleted or made anonymous before that."),
    ),
    _("Nothing is deleted until somebody approves it."): (
        _("Nothing is changed until somebody approves it."),
        _("Nothing is changed until somebody approves it."),
    ),
    _("It deleted %(rows)s, usually %(usual)s."): (
        _("It made %(rows)s anonymous, usually %(usual)s."),
        _("It deleted or made anonymous %(rows)s, usually %(usual)s."),
    ),
    _("%(task)s: a dry run, nothing was deleted"): (
        _("%(task)s: a dry run, nothing was changed"),
        _("%(task)s: a dry run, nothing was changed"),
    ),
    _("Rows that would be deleted"): (
        _("Rows that would be made anonymous"),
        _("Rows that would be deleted or made anonymous"),
    ),
    _("What would be deleted now"): (
        _("What would be made anonymous now"),
        _("What would be deleted or made anonymous now"),
    ),
    _("Eligible for deletion"): (_("To be made anonymous"), _("To be deleted or made anonymous")),
    _("No retention: its rows are deleted regardless of age."): (
        _("No retention: its rows are made anonymous regardless of age."),
        _("No retention: its rows are made anonymous regardless of age."),
    ),
    _("none deleted"): (_("none made anonymous"), _("none deleted or made anonymous")),
    _("SHA-256 of the deleted rows"): (
        _("SHA-256 of the old and the new values"),
        _("SHA-256 of the old and the new values"),
    ),
    _("Rows deleted a day"): (_("Rows made anonymous a day"), _("Rows deleted or made anonymous a day")),
    _("Not saved yet: this is shorter than now. Read what it deletes, then save it again."): (
        _("Not saved yet: this is shorter than now. Read what it changes, then save it again."),
        _("Not saved yet: this is shorter than now. Read what it changes, then save it again."),
    ),
    _("Rows deleted"): (_("Rows made anonymous"), _("Rows deleted or made anonymous")),
    _("Cancel this run? Rows deleted so far stay deleted."): (
        _("Cancel this run? Rows made anonymous so far stay anonymous."),
        _("Cancel this run? Rows deleted or made anonymous so far stay so."),
    ),
    _("Asks for confirmation, with the number of rows that it would delete."): (
        _("Asks for confirmation, with the number of rows that it would make anonymous."),
        _("Asks for confirmation, with the number of rows that it would delete or make anonymous."),
    ),
    _(
        "Runs the task again, as a new run. Asks for confirmation, with the number of rows that it would"
        " delete."
    ): (
        _(
            "Runs the task again, as a new run. Asks for confirmation, with the number of rows that it would"
            " make anonymous."
        ),
        _(
            "Runs the task again, as a new run. Asks for confirmation, with the number of rows that it would"
            " delete or make anonymous."
        ),
    ),
}
# What is said of rows that were read from exports: an undo of their run puts them back.
OF_READ = {
    _("%(rows)s deleted in %(took)s."): _("%(rows)s read from exports in %(took)s."),
    _("none deleted"): _("none read"),
    _("SHA-256 of the deleted rows"): _("SHA-256 of the rows"),
}


def of_policies(policies: Iterable[Policy]) -> str:
    """What becomes of the expired rows of all these policies."""
    return _together(_kind(policy.told()) for policy in policies)


def of_run(run: Run) -> str:
    """What the run has done to rows, else what its plan would do, else what its task does."""
    for facts in (run.receipt, run.plan):
        if some := {name: one for name, one in facts.items() if _has_rows(one)} or facts:
            return _together(map(_kind, some.values()))
    task = TASKS.get(run.task)
    return of_policies(task.policies) if task else DELETED


def _has_rows(facts: Mapping[str, Any]) -> bool:
    rows = facts.get("tables", facts.get("rows"))
    return any(rows.values()) if isinstance(rows, dict) else bool(rows)


def _kind(facts: Mapping[str, Any]) -> str:
    return KINDS.get(facts.get("then", ""), DELETED)


def _together(kinds: Iterable[str]) -> str:
    found = {*kinds}
    return BOTH if len(found) > 1 else found.pop() if found else DELETED


def of(source: Run | Task | Policy | Mapping[str, Any]) -> str:
    """The same of a run, a task, a policy, or what a plan or a receipt has of one."""
    if isinstance(source, Run):
        return of_run(source)
    if isinstance(source, Mapping):
        return _kind(source)
    return of_policies([source] if isinstance(source, Policy) else source.policies)


def say(kind: str, deleted: str) -> str:
    """What is true of rows of this kind, translated. ``deleted``: what is said of rows that are deleted."""
    anonymous, both = INSTEAD[deleted]
    read = OF_READ.get(deleted, deleted)
    return gettext({DELETED: deleted, ANONYMOUS: anonymous, BOTH: both, READ: read}[kind])


def told(source: Run | Task | Policy | Mapping[str, Any], deleted: str) -> str:
    """What is true of the rows that it is about: see :func:`say`."""
    return say(of(source), deleted)


# --- The values that rows get -----------------------------------------------------------------


def columns(end: End) -> dict[str, str]:
    """By column, what it becomes."""
    return {name: in_words(value) for name, value in end.values.items()} if isinstance(end, Anonymise) else {}


def done(end: End) -> str | None:
    """Which rows are done: a column that is set, or a condition. None if the rows go."""
    if not isinstance(end, Anonymise):
        return None
    return end.done if isinstance(end.done, str) else in_words(end.done)


def in_words(value: Any) -> str:
    """A value of a column as a person would write it: ``Concat('gone-', pk)``."""
    if isinstance(value, Q):
        words = f" {value.connector.lower()} ".join(map(_condition, value.children))
        return f"not ({words})" if value.negated else words
    if isinstance(value, Value):
        return repr(value.value)
    if isinstance(value, F):
        return str(vars(value)["name"])
    if isinstance(value, Concat | ConcatPair):
        return f"Concat({', '.join(_parts(value))})"
    if isinstance(value, Func):
        return f"{type(value).__name__}({', '.join(map(in_words, value.get_source_expressions()))})"
    return str(value) if hasattr(value, "resolve_expression") else repr(value)


def _parts(value: Any) -> Iterable[str]:
    for one in value.get_source_expressions():
        yield from _parts(one) if isinstance(one, ConcatPair) else [in_words(one)]


def _condition(child: Any) -> str:
    return f"({in_words(child)})" if isinstance(child, Q) else f"{child[0]}={child[1]!r}"
