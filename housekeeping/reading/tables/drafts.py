"""Write a policy for this: the block for a ``tasks.py`` that would purge a table, and what it would delete.

The block's names are free: no task, policy or schedule has them, and no operator has left a changed
retention or a pause under them. Small tables are previewed by the engine itself. For a large one the rows are
estimated from the measured ages, as a page must not count it.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, count, pairwise
from typing import Any

from django.db import models
from django.db.models import Model
from django.utils.text import camel_case_to_spaces
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.database import chosen, sizes
from housekeeping.declared import registry
from housekeeping.declared.columns import indexes
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.engine import obstacles
from housekeeping.exceptions import BadColumn
from housekeeping.models import PolicyState, ScheduleState, TaskState
from housekeeping.reading import gauges
from housekeeping.reading.previews import impact
from housekeeping.reading.tables import known
from housekeeping.reading.tables.listing import TableCard

COUNTED = 50_000  # rows of a table that the engine counts
SECONDS = 1.0  # for that count
YEAR = 365
# Names that the block imports or defines besides the model.
TAKEN = {"Cron", "Policy", "Purge", "apps", "purge", "scheduled", "task", "timedelta"}
BLOCK = '''\
from datetime import timedelta

{imports}

{name} = Policy(
    "{name}",
    rows=lambda cutoff: {model}.{rows}.filter({column}__lt=cutoff),
    retention=timedelta(days={days}),
    age="{column}",
)


@scheduled("{name}", "Nightly cleanup of {words}", Cron(hour=3, minute=15))
@task(policy={name}, done="{done} deleted")
def delete_{name}(purge: Purge = purge) -> dict[str, int]:
    """Delete rows of {label} whose {column} is more than {days} days ago."""
    return {{"deleted_{what}": purge({name})}}
'''


@dataclass(frozen=True)
class Draft:
    """``code`` is empty if the engine can't purge the table; ``obstacles`` say why.

    ``tables``: the rows that a first run would delete, by table, with related rows; None if they can't be
    counted. If ``is_estimate``, the table's own rows are estimated, and related rows are not known.
    ``file``: where the block belongs; empty if the model is not one of the project's own.
    """

    name: str = ""
    column: str = ""
    days: int = YEAR
    columns: Sequence[str] = ()
    code: str = ""
    file: str = ""
    tables: dict[str, int] | None = None
    is_estimate: bool = False
    obstacles: Sequence[str] = ()
    advice: Sequence[str] = ()

    @property
    def rows(self) -> int | None:
        """Of the table itself."""
        return None if self.tables is None else next(iter(self.tables.values()), 0)


def draft(card: TableCard, *, column: str | None = None, days: int | None = None) -> Draft:
    """A policy for the table. Without ``column`` and ``days``, they follow from the model and its ages.

    Raises BadColumn.
    """
    model = card.model
    if model is None:
        return Draft(obstacles=[gettext("No model of this project has this table.")])
    columns = _columns(model)
    if column is not None and column not in columns:
        text = gettext("%(column)s is not one of the columns %(names)s.")
        raise BadColumn(text % {"column": repr(column), "names": ", ".join(columns) or "–"})
    column = column or next(iter(columns), "")
    days = days or _retention(card.ages.get(column))
    name = _name(model)
    policy = _policy(name, model, card.database, column, days)
    found = [f"{table}: {problem}" for table, problem in obstacles.to(policy)]
    if not columns:
        found.append(gettext("%(model)s has no column that is a date.") % {"model": card.label})
    if found:
        return Draft(name, column, days, columns, obstacles=found)
    tables, is_estimate = _preview(card, policy, days)
    return Draft(
        name, column, days, columns,
        code=_code(name, model, card.database, column, days),
        file=_file(model),
        tables=tables,
        is_estimate=is_estimate,
        advice=list(_advice(card, model, column, tables)),
    )  # fmt: skip


# --- What is chosen ---------------------------------------------------------------------------


def _columns(model: type[Model]) -> list[str]:
    """The model's dates, the likeliest age first: when the row was made, never null, with an index."""
    indexed = _indexed(model)

    def likelihood(name: str) -> tuple[int, ...]:
        field: Any = model._meta.get_field(name)
        is_birth = field.auto_now_add or bool(
            re.search(r"creat|join|^date$|_time$|timestamp|written|sent", name)
        )
        return is_birth, not field.null, name in indexed, isinstance(field, models.DateTimeField)

    return sorted((column.name for column in known.ages_of(model)), key=likelihood, reverse=True)


def _indexed(model: type[Model]) -> set[str]:
    """The fields that lead an index of the table."""
    return {names[0] for names in indexes(model)}


def _retention(ages: dict[str, Any] | None) -> int:
    """A year, if some rows are older; else the longest of 180, 90 and 30 days that some rows exceed."""
    older = (ages or {}).get("older", {})
    choices = [days for days in reversed(sizes.OLDER_THAN) if days <= YEAR]
    return next((days for days in choices if older.get(str(days))), YEAR)


def _name(model: type[Model]) -> str:
    """``old_chat_messages``, with the app or a number in it if that is taken."""
    taken = {*TASKS, *SCHEDULES, *registry.policies(), *_left_behind()}
    what, app = _plural(model), model._meta.app_label
    names = chain((f"old_{what}", f"old_{app}_{what}"), (f"old_{what}_{number}" for number in count(2)))
    return next(name for name in names if _is_free(name, model, taken))


def _left_behind() -> set[str]:
    """Names under which operators have changed something, perhaps about a task that is gone."""
    rows: list[Any] = [PolicyState, TaskState, ScheduleState]
    return {str(key) for model in rows for key in model.objects.values_list("pk", flat=True)}


def _is_free(name: str, model: type[Model], taken: set[str]) -> bool:
    module = sys.modules.get(f"{model._meta.app_config.name}.tasks")
    is_defined = any(hasattr(module, one) for one in (name, f"delete_{name}"))
    return name not in taken and not is_defined and name.isidentifier() and len(name) <= gauges.LONGEST_POLICY


def _plural(model: type[Model]) -> str:
    words = re.sub(r"\W", "", camel_case_to_spaces(model.__name__).replace(" ", "_"))[:60].strip("_")
    if re.search(r"[^aeiou]y$", words):
        return f"{words[:-1]}ies"
    return f"{words}es" if re.search(r"(s|x|z|ch|sh)$", words) else f"{words}s"


# --- The block --------------------------------------------------------------------------------


def _code(name: str, model: type[Model], database: str, column: str, days: int) -> str:
    what = name.removeprefix("old_")
    called = f"{model.__name__}Model" if model.__name__ in TAKEN else model.__name__
    return BLOCK.format(
        imports=_imports(model, called),
        name=name,
        model=called,
        rows=_rows(model, database),
        column=column,
        days=days,
        label=model._meta.label,
        what=what,
        words=name.replace("_", " "),
        done=name.replace("_", " ").capitalize(),
    )


def _rows(model: type[Model], database: str) -> str:
    """Names the database where the project's routers would choose another one."""
    name = model._default_manager.name
    return name if database == chosen.home(model) else f'{name}.using("{database}")'


def _imports(model: type[Model], called: str) -> str:
    ours = "from housekeeping import Cron, Policy, Purge, purge, scheduled, task"
    if getattr(sys.modules.get(model.__module__), model.__name__, None) is model:
        renamed = "" if called == model.__name__ else f" as {called}"
        lines = [ours, f"from {model.__module__} import {model.__name__}{renamed}"]
        return "\n".join(sorted(lines, key=lambda line: line.split()[1]))
    # A model that some code has made, such as that of a many-to-many field.
    made = f'{called} = apps.get_model("{model._meta.app_label}", "{model._meta.object_name}")'
    return f"from django.apps import apps\n\n{ours}\n\n{made}"


def _file(model: type[Model]) -> str:
    app = model._meta.app_config
    is_installed = {"site-packages", "dist-packages"} & set(re.split(r"[/\\]", app.path))
    return "" if is_installed else f"{app.name.replace('.', '/')}/tasks.py"


# --- What it would delete ---------------------------------------------------------------------


def _policy(name: str, model: type[Model], database: str, column: str, days: int) -> Policy:
    """The policy that the block declares."""

    def rows(cutoff: datetime) -> Any:
        older = {f"{column}__lt": cutoff} if column else {}
        return model._default_manager.using(database).filter(**older)

    return Policy(name, rows=rows, retention=timedelta(days=days), age=column or "pk")


def _preview(card: TableCard, policy: Policy, days: int) -> tuple[dict[str, int] | None, bool]:
    """The rows by table, and whether they are estimated."""
    if card.size.rows is not None and card.size.rows <= COUNTED:
        [counted] = impact.of([policy], seconds=SECONDS)
        if counted.tables is not None or counted.error:
            return counted.tables, False
    estimate = _older(card.ages.get(str(policy.age)), days)
    return (None, False) if estimate is None else ({policy.model_name: estimate}, True)


def _older(ages: dict[str, Any] | None, days: int) -> int | None:
    """The rows older than so many days, from those older than each of OLDER_THAN."""
    if ages is None:
        return None
    known_at: list[tuple[int, int]] = [
        (0, ages["rows"]),
        *((at, ages["older"].get(str(at), 0)) for at in sizes.OLDER_THAN),
    ]
    for (before, more), (after, less) in pairwise(known_at):
        if days <= after:
            return round(more + (less - more) * (days - before) / (after - before))
    return known_at[-1][1]


def _advice(card: TableCard, model: type[Model], column: str, tables: dict[str, int] | None) -> Iterable[str]:
    if column not in _indexed(model):
        yield gettext("Add an index on %(column)s: the purge walks along it.") % {"column": column}
    due = next(iter(tables.values()), 0) if tables else 0
    if due >= conf.BRAKE_ROWS and due > conf.BRAKE_SHARE * (card.size.rows or 0):
        yield gettext(
            "The brake will hold the first run, as it deletes most of the table: look at it, then approve."
        )
    if direct := [cover.policy for cover in card.covers if cover.is_direct]:
        yield gettext("%(policies)s deletes rows of this table already.") % {"policies": ", ".join(direct)}
    if recipe := known.recipe_for(model):
        yield gettext('There is a recipe for this app: HOUSEKEEPING_RECIPES = ["%(recipe)s"].') % {
            "recipe": recipe
        }
