"""What there is to do, and when: filled by ``tasks.py``, read by every face."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from housekeeping.declared.policies import Policy
from housekeeping.declared.triggers import Cron, Interval
from housekeeping.exceptions import AmbiguousPolicy, CannotPreview, UnknownPolicy, UnknownTask

TaskFunction = Callable[..., Any]
# The tools that a dry run replaces: by a count that deletes, mails or keeps nothing.
PREVIEWED = {"purge", "mail", "measure"}
F = TypeVar("F", bound=TaskFunction)


@dataclass(frozen=True)
class Task:
    """A named piece of housekeeping: a plain function that does it and returns its result."""

    name: str
    function: TaskFunction
    policies: tuple[Policy, ...]
    done: str
    has_dry_run: bool | None = None

    @property
    def title(self) -> str:
        """The function's name as words: ``Delete old conversations``."""
        return self.function.__name__.replace("_", " ").capitalize()

    @property
    def description(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def tools(self) -> set[str]:
        """The names of the tools that the function wants handed to it."""
        return set(inspect.signature(self.function).parameters)

    @property
    def can_be_previewed(self) -> bool:
        """Does a dry run leave everything as it is? Only where the function works with a tool
        that a dry run replaces, and its author has not said otherwise."""
        return bool(self.tools & PREVIEWED) and self.has_dry_run is not False

    @property
    def may_delete(self) -> bool:
        """Does somebody have to confirm it? A task that takes no tool of ours might delete anything."""
        return bool(self.policies) or "purge" in self.tools or not self.can_be_previewed


@dataclass(frozen=True)
class Schedule:
    """When a task runs by itself. ``grace``: how late a fire time is still made up for;
    None is until the next one. ``is_upkeep``: the housekeeping's own, which the contract's
    list of jobs leaves out."""

    id: str
    name: str
    trigger: Cron | Interval
    task: Task
    grace: timedelta | None = None
    is_upkeep: bool = False

    @property
    def label(self) -> str:
        """The id as words: ``Daily housekeeping``."""
        return self.id.replace("_", " ").capitalize()


TASKS: dict[str, Task] = {}
SCHEDULES: dict[str, Schedule] = {}


def task(
    name: str | None = None,
    *,
    policy: Policy | None = None,
    policies: tuple[Policy, ...] = (),
    done: str | None = None,
    has_dry_run: bool | None = None,
    when: bool = True,
) -> Callable[[F], F]:
    """Register a function as a task, under ``name`` or its policy's name, unless ``when`` is false.

    ``policies`` are the ones that it purges by, ``done`` the sentence that says it
    succeeded. ``has_dry_run=False`` refuses dry runs, for a task that also does what one can't
    hold back, such as deleting files. The function stays what it was: called in a shell, it does
    the work.
    """
    policies = policies or ((policy,) if policy else ())

    def register(function: F) -> F:
        key = name or (policies[0].name if policies else function.__name__)
        if key in TASKS:
            raise ValueError(f"Two tasks are called {key!r}: give one of them another name.")
        title = function.__name__.replace("_", " ").capitalize()
        if when:
            TASKS[key] = Task(key, function, policies, done or f"{title}: done", has_dry_run)
        return function

    return register


def scheduled(
    id: str,
    name: str,
    trigger: Cron | Interval,
    *,
    when: bool = True,
    grace: timedelta | None = None,
    is_upkeep: bool = False,
) -> Callable[[F], F]:
    """Run the task below this decorator by ``trigger``, unless ``when`` is false."""

    def register(function: F) -> F:
        if id in SCHEDULES:
            raise ValueError(f"Two schedules have the id {id!r}: give one of them another.")
        if not when:  # its task may be switched off, too
            return function
        owner = next((task for task in TASKS.values() if task.function is function), None)
        if owner is None:
            raise ValueError(f"@scheduled({id!r}) stands above a function that is no @task.")
        SCHEDULES[id] = Schedule(id, name, trigger, owner, grace, is_upkeep)
        return function

    return register


def check_dry_run(name: str) -> None:
    """Raises CannotPreview where a dry run of the task would be carried out; UnknownTask."""
    found = find_task(name)
    if not found.can_be_previewed:
        raise CannotPreview(name, is_declared=found.has_dry_run is False)


def find_task(name: str) -> Task:
    """Raises UnknownTask."""
    try:
        return TASKS[name]
    except KeyError:
        raise UnknownTask(name, list(TASKS)) from None


def policies() -> dict[str, Policy]:
    """Every policy that a task purges by, by its name."""
    return {policy.name: policy for task in TASKS.values() for policy in task.policies}


def check_policy(policy: Policy) -> None:
    """Raises AmbiguousPolicy where another policy has the same name.

    Retentions, cutoffs, plans and counts go by the name: one of the two would delete by the other's.
    """
    others = [one for task in TASKS.values() for one in task.policies if one.name == policy.name]
    if any(one != policy for one in others):
        raise AmbiguousPolicy(policy.name)


def find_policy(name: str) -> Policy:
    """Raises UnknownPolicy."""
    known = policies()
    if name not in known:
        raise UnknownPolicy(name, list(known))
    return known[name]
