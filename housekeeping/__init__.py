"""Housekeeping for a Django site, on Huey: a ``tasks.py`` imports everything that it needs from here.

``from housekeeping import Cron, Policy, Purge, purge, scheduled, task``. Each name is loaded on first
use, since Django imports this package before its apps are ready.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from housekeeping.database import clock as clock
    from housekeeping.declared.ends import anonymise as anonymise
    from housekeeping.declared.ends import export as export
    from housekeeping.declared.generic import generic_rows as generic_rows
    from housekeeping.declared.mailing import Mail as Mail
    from housekeeping.declared.mailing import mail_each as mail_each
    from housekeeping.declared.owners import ByOwner as ByOwner
    from housekeeping.declared.personal import Person as Person
    from housekeeping.declared.personal import personal_names as personal_names
    from housekeeping.declared.personal import personal_rows as personal_rows
    from housekeeping.declared.policies import Policy as Policy
    from housekeeping.declared.registry import scheduled as scheduled
    from housekeeping.declared.registry import statistic as statistic
    from housekeeping.declared.registry import task as task
    from housekeeping.declared.statistics import Measure as Measure
    from housekeeping.declared.statistics import take_snapshot as take_snapshot
    from housekeeping.declared.steps import Checkpoint as Checkpoint
    from housekeeping.declared.steps import TaskResult as TaskResult
    from housekeeping.declared.steps import no_checkpoint as no_checkpoint
    from housekeeping.declared.steps import run_steps as run_steps
    from housekeeping.declared.triggers import Cron as Cron
    from housekeeping.declared.triggers import Interval as Interval
    from housekeeping.engine.holds import is_held as is_held
    from housekeeping.engine.holds import reason_held as reason_held
    from housekeeping.engine.holds import wait_for_new_holds as wait_for_new_holds
    from housekeeping.engine.purge import Purge as Purge
    from housekeeping.engine.purge import purge as purge
    from housekeeping.engine.purge import spared as spared
    from housekeeping.journal.acts import record_act as record_act

__version__ = "1.1.dev0"

# Each name, and the module that it comes from.
_NAMES = {
    # When
    "Cron": "declared.triggers",
    "Interval": "declared.triggers",
    # What
    "Policy": "declared.policies",
    "ByOwner": "declared.owners",
    "anonymise": "declared.ends",
    "export": "declared.ends",
    "scheduled": "declared.registry",
    "statistic": "declared.registry",
    "task": "declared.registry",
    # What goes along
    "generic_rows": "declared.generic",
    # Whose
    "Person": "declared.personal",
    "personal_names": "declared.personal",
    "personal_rows": "declared.personal",
    # Parameters of a task: a type, and its default
    "Checkpoint": "declared.steps",
    "no_checkpoint": "declared.steps",
    "Mail": "declared.mailing",
    "mail_each": "declared.mailing",
    "Measure": "declared.statistics",
    "take_snapshot": "declared.statistics",
    "Purge": "engine.purge",
    "purge": "engine.purge",
    # Functions for tasks
    "TaskResult": "declared.steps",
    "run_steps": "declared.steps",
    "spared": "engine.purge",
    "clock": "database",
    # For a site that deletes a row itself
    "is_held": "engine.holds",
    "reason_held": "engine.holds",
    "wait_for_new_holds": "engine.holds",
    # For a page of a site
    "record_act": "journal.acts",
}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_NAMES[name]}")
    # The clock is a module itself, not a name in a module.
    return import_module(f"{module.__name__}.{name}") if name == "clock" else getattr(module, name)
