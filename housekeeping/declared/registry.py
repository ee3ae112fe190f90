"""The registry of tasks, schedules and statistics, which the ``tasks.py`` of every installed app declares.

These modules are imported when the registry is first read, not while Django loads its apps. If one can't
be imported, its declarations are left out, and :data:`UNREADABLE` lists it. Pages and commands still work.
"""

import inspect
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import module_has_submodule

from housekeeping import conf
from housekeeping.database import discreet
from housekeeping.declared.policies import Policy
from housekeeping.declared.triggers import Cron, Interval
from housekeeping.exceptions import AmbiguousPolicy, CannotPreview, UnknownPolicy, UnknownTask

TaskFunction = Callable[..., Any]
# A dry run replaces these tools by counts, which delete, mail and store nothing.
PREVIEWED = {"purge", "mail", "measure"}
MOST_RETRIES, LONGEST_RETRY_DELAY = 10, timedelta(hours=1)
F = TypeVar("F", bound=TaskFunction)
Declaration = TypeVar("Declaration")

logger = logging.getLogger(__name__)


def title_of(name: str) -> str:
    """A name in code as words: ``Delete old conversations``."""
    return name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Task:
    """A named piece of housekeeping: a plain function that does it and returns its result."""

    name: str
    function: TaskFunction
    policies: tuple[Policy, ...]
    done: str
    has_dry_run: bool | None = None
    retries: int = 0
    retry_delay: timedelta = timedelta(minutes=1)

    @property
    def title(self) -> str:
        """The function's name as words: ``Delete old conversations``."""
        return title_of(self.function.__name__)

    @property
    def description(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def tools(self) -> set[str]:
        """The names of the tools that the function takes as parameters."""
        return set(inspect.signature(self.function).parameters)

    @property
    def can_be_previewed(self) -> bool:
        """Does a dry run change nothing? Only if the function takes a tool that a dry run replaces,
        and its author has not declared ``has_dry_run=False``.
        """
        return bool(self.tools & PREVIEWED) and self.has_dry_run is not False

    @property
    def may_delete(self) -> bool:
        """Must a person confirm it first? A task that takes none of our tools might delete anything."""
        return bool(self.policies) or "purge" in self.tools or not self.can_be_previewed


@dataclass(frozen=True)
class Schedule:
    """When a task runs automatically.

    ``grace``: how late a fire time is still caught up; None: until the next one. ``is_upkeep``: it belongs
    to the app itself, and the contract's list of jobs leaves it out. ``ping``: see :mod:`journal.pings`.
    """

    id: str
    name: str
    trigger: Cron | Interval
    task: Task
    grace: timedelta | None = None
    is_upkeep: bool = False
    ping: str = ""

    @property
    def label(self) -> str:
        """The id as words: ``Daily housekeeping``."""
        return title_of(self.id)


@dataclass(frozen=True)
class Statistic:
    """A number that describes the site, counted by ``function``.

    ``label``: its name on pages. ``is_charted``: the page of trends has a chart of it.
    """

    name: str
    function: Callable[[], int]
    label: str | Promise
    is_charted: bool = True


class Declared(MutableMapping[str, Declaration]):
    """Declarations by name, in the order declared. Reading them first discovers those of all apps."""

    def __init__(self) -> None:
        self.known: dict[str, Declaration] = {}

    def __getitem__(self, name: str) -> Declaration:
        discover()
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        discover()
        return iter(self.known)

    def __len__(self) -> int:
        discover()
        return len(self.known)

    def __setitem__(self, name: str, declaration: Declaration) -> None:
        self.known[name] = declaration

    def __delitem__(self, name: str) -> None:
        del self.known[name]


TASKS: Declared[Task] = Declared()
SCHEDULES: Declared[Schedule] = Declared()
STATISTICS: Declared[Statistic] = Declared()


def task(
    name: str | None = None,
    *,
    policy: Policy | None = None,
    policies: tuple[Policy, ...] = (),
    done: str | None = None,
    has_dry_run: bool | None = None,
    retries: int = 0,
    retry_delay: timedelta = timedelta(minutes=1),
    when: bool = True,
) -> Callable[[F], F]:
    """Register a function as a task, under ``name`` or its policy's name, unless ``when`` is false.

    ``policies``: the policies that the task purges by. ``done``: the message of its success.
    ``has_dry_run=False`` refuses dry runs, for a task with effects that a dry run can't prevent, such as
    deleting files. ``retries``: how often a run that failed is tried again, 0 to 10. The first retry waits
    for ``retry_delay`` (a second to an hour), each further one twice as long. The function itself does not
    change: called in a shell, it does the work.
    """
    _check_name(name, "@task", "@task() or @task(policy=policy)")
    _check_retries(retries, retry_delay)
    policies = policies or ((policy,) if policy else ())

    def register(function: F) -> F:
        if not when:
            return function
        key = name or (policies[0].name if policies else function.__name__)
        if key in TASKS.known:
            raise ValueError(f"Two tasks are called {key!r}: give one of them another name.")
        message = done or f"{title_of(function.__name__)}: done"
        TASKS[key] = Task(key, function, policies, message, has_dry_run, retries, retry_delay)
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
    ping: str = "",
) -> Callable[[F], F]:
    """Run the task below this decorator by ``trigger``, unless ``when`` is false. ``ping``: an address
    that is called as its runs start and end, so that a watcher notices silence.
    """
    if not (isinstance(id, str) and isinstance(trigger, Cron | Interval)):
        example = '@scheduled("nightly", "Every night", Cron(hour=2))'
        raise TypeError(f"@scheduled takes an id, a name and a trigger: write {example}.")
    if not conf.is_ping_url(ping):
        raise ValueError(f"@scheduled({id!r}): ping is not a URL; write https:// and a host.")

    def register(function: F) -> F:
        if not when:  # the task may be switched off as well
            return function
        if id in SCHEDULES.known:
            raise ValueError(f"Two schedules have the id {id!r}: give one of them another.")
        owner = next((task for task in TASKS.known.values() if task.function is function), None)
        if owner is None:
            raise ValueError(f"@scheduled({id!r}) stands above a function without @task.")
        SCHEDULES[id] = Schedule(id, name, trigger, owner, grace, is_upkeep, ping)
        return function

    return register


def statistic(
    name: str | None = None, *, label: str | Promise = "", is_charted: bool = True
) -> Callable[[F], F]:
    """Register a function without parameters that counts something, under ``name`` or its own name.

    The number is shown on the dashboard, in the API, in the metrics and in snapshots. Without a
    ``label``, pages show its name.
    """
    _check_name(name, "@statistic", "@statistic()")

    def register(function: F) -> F:
        key = name or function.__name__
        if key in STATISTICS.known:
            raise ValueError(f"Two statistics are called {key!r}: give one of them another name.")
        STATISTICS[key] = Statistic(key, function, label or title_of(key), is_charted)
        return function

    return register


def _check_name(name: object, decorator: str, usual: str) -> None:
    """Raises TypeError for a decorator without its brackets, which takes the function for its name."""
    if not isinstance(name, str | None):
        kind = type(name).__name__
        raise TypeError(f"The name in {decorator} has to be a text, not a {kind}: write {usual}.")


def _check_retries(retries: int, delay: timedelta) -> None:
    """Raises TypeError or ValueError."""
    if not isinstance(retries, int) or isinstance(retries, bool) or not isinstance(delay, timedelta):
        raise TypeError("@task takes retries as a whole number and retry_delay as a timedelta.")
    if not 0 <= retries <= MOST_RETRIES:
        raise ValueError(f"@task(retries={retries}): write 0 to {MOST_RETRIES}.")
    if not timedelta(seconds=1) <= delay <= LONGEST_RETRY_DELAY:
        raise ValueError(f"@task(retry_delay={delay!r}): write a second to an hour.")


# --- Finding them -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Unreadable:
    """A ``tasks.py`` that could not be imported.

    ``is_ours``: it, or a module that it imports, uses housekeeping. Otherwise it may belong to something
    else, such as Celery.
    """

    module: str
    error: str
    is_ours: bool


UNREADABLE: list[Unreadable] = []
OURS = Path(__file__).resolve().parent.parent
IMPORTS_US = re.compile(r"^\s*(from |import (.*, *)?)housekeeping\b", re.MULTILINE)
_lock = threading.RLock()
_state = "to do"


def discover() -> None:
    """Import the ``tasks.py`` of every installed app, once. Does nothing before the apps are loaded.

    Other threads wait until all are imported. The modules themselves see what has been declared so far.
    """
    global _state
    if _state == "done" or not apps.ready:
        return
    with _lock:
        if _state != "to do":
            return
        _state = "under way"
        for app in apps.get_app_configs():
            if module_has_submodule(app.module, "tasks"):
                _import(app)
        # The app's own upkeep comes last: people look for the tasks of their site.
        TASKS.known = dict(sorted(TASKS.known.items(), key=lambda one: _is_own(one[1])))
        SCHEDULES.known = dict(sorted(SCHEDULES.known.items(), key=lambda one: _is_own(one[1].task)))
        _state = "done"


def _is_own(task: Task) -> bool:
    return task.function.__module__.startswith("housekeeping.")


def check_readable() -> None:
    """Raises ImproperlyConfigured if a ``tasks.py`` that uses housekeeping can't be imported."""
    discover()
    if ours := [one for one in UNREADABLE if one.is_ours]:
        raise ImproperlyConfigured(" ".join(f"{one.module} can't be imported: {one.error}." for one in ours))


def _import(app: AppConfig) -> None:
    """Import the app's ``tasks.py``. Removes what a module has declared until it failed."""
    tables: list[Declared[Any]] = [TASKS, SCHEDULES, STATISTICS]
    before = [dict(table.known) for table in tables]
    module = f"{app.name}.tasks"
    try:
        import_module(module)
    except Exception as error:  # an import may run any code of the site
        has_declared = [table.known for table in tables] != before
        is_ours = has_declared or app.name == "housekeeping" or _mentions_us(app, error)
        found = Unreadable(module, f"{type(error).__name__}: {discreet.clean(error)}", is_ours)
        UNREADABLE.append(found)
        if found.is_ours:
            logger.error("%s can't be imported, so what it declares is missing: %s", module, found.error)
    _forget_unimported()


def _forget_unimported() -> None:
    """Remove the declarations of modules whose import has failed, which Python has forgotten as well.

    Also of one whose failure was caught, such as a recipe. A module that was imported on the way stays
    imported: it would not declare its own again.
    """
    TASKS.known = {key: one for key, one in TASKS.known.items() if _is_imported(one.function)}
    SCHEDULES.known = {key: one for key, one in SCHEDULES.known.items() if _is_imported(one.task.function)}
    STATISTICS.known = {key: one for key, one in STATISTICS.known.items() if _is_imported(one.function)}


def _is_imported(function: Callable[..., Any]) -> bool:
    return function.__module__ in sys.modules


def _mentions_us(app: AppConfig, error: Exception) -> bool:
    """Does the app's ``tasks.py``, or a module on the way to the error, import housekeeping?"""
    files = [Path(app.path) / "tasks.py", *(Path(app.path) / "tasks").glob("**/*.py")]
    files += [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    files += [Path(error.filename)] if isinstance(error, SyntaxError) and error.filename else []
    foreign = [file for file in files if file.is_file() and OURS not in file.parents]
    return any(IMPORTS_US.search(file.read_text(errors="replace")) for file in foreign)


# --- Reading them -----------------------------------------------------------------------------


def loggers() -> list[str]:
    """The loggers whose lines belong to a run: ours, and those of the packages that declare tasks."""
    return list(dict.fromkeys(["housekeeping", *(_package(task.function) for task in TASKS.values())]))


def _package(function: TaskFunction) -> str:
    return function.__module__.partition(".")[0]


def check_dry_run(name: str) -> None:
    """Raises CannotPreview if the task has no dry run, and UnknownTask."""
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
    """Raises AmbiguousPolicy if another policy has the same name.

    Retentions, cutoffs, plans and counts are stored by name: one policy would use those of the other.
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
