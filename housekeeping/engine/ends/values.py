"""The values that an end gives to columns: which columns these are, and why a table can't take a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db.models import BooleanField, DateField, Field, ForeignKey, Model, Q, UniqueConstraint, Value
from django.db.models.expressions import F
from django.db.models.sql import UpdateQuery

from housekeeping.database.chosen import connection
from housekeeping.declared.ends import Anonymise, as_text
from housekeeping.declared.policies import FAR, Policy
from housekeeping.engine import cascade


def columns(model: type[Model], declared: Anonymise) -> list[Field[Any, Any]]:
    """The columns that an end changes, that of ``done`` last."""
    names = [*declared.values, *([declared.done] if isinstance(declared.done, str) else [])]
    found: list[Any] = [model._meta.get_field(name) for name in names]
    return found


def check_deferred(model: type[Model]) -> None:
    """Let the database look at unique values now that it would look at when the transaction ends."""
    is_deferred = any(isinstance(one, UniqueConstraint) and one.deferrable for one in model._meta.constraints)
    if is_deferred and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def problems(policy: Policy, declared: Anonymise) -> Iterator[str]:
    """Why rows of the policy can't get the declared values, or would get them again and again."""
    wrong = [problem for name in declared.values for problem in _of_column(policy.model, name)]
    yield from wrong
    if not declared.values:
        yield "it sets no column"
    if not wrong:
        for name, value in declared.values.items():
            yield from _of_value(policy.model, policy.model._meta.get_field(name), value)
        yield from _of_unique(policy.model, declared)
    yield from _of_done(policy, declared)
    yield from _of_rules(policy, declared)


def _of_column(model: type[Model], name: str) -> Iterator[str]:
    """Why nothing can be set there, whatever the value."""
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        field = None
    if field is None or not getattr(field, "concrete", False) or field.many_to_many:
        yield f"{name!r} is not a column of it"
    elif field not in model._meta.local_concrete_fields:
        parent = field.model._meta.label
        yield f"{name} is a column of its parent {parent}: a policy for {parent} can change it"
    elif field.primary_key:
        yield f"{name} is its key, which can't be changed"
    elif getattr(field, "generated", False):
        yield f"{name} is computed by the database"
    else:
        for link in cascade.links(model):
            if link.field.target_field == field:
                yield f"{name} is what {link.model._meta.label}.{link.field.name} refers to its rows by"


# --- One value --------------------------------------------------------------------------------


def _constant(value: Any) -> Any:
    """The value of an expression that has but one."""
    return value.value if isinstance(value, Value) else value


def _of_value(model: type[Model], field: Any, value: Any) -> Iterator[str]:
    value = _constant(value)
    if value is None:
        if not field.null:
            yield f"{field.name} can't be empty: give it a value"
    elif hasattr(value, "resolve_expression"):
        yield from _of_expression(model, field, value)
    else:
        yield from _of_constant(field, value)


def _of_expression(model: type[Model], field: Any, value: Any) -> Iterator[str]:
    query: Any = cascade.rows_of(model).query.chain(UpdateQuery)
    try:
        query.add_update_values({field.name: as_text(value)})
        query.get_compiler(connection=connection).as_sql()
    except (FieldError, TypeError, ValueError) as error:
        yield f"the value of {field.name} can't be computed: {error}"


def _of_constant(field: Any, value: Any) -> Iterator[str]:
    holds = cascade.value_field(field)
    if isinstance(field, ForeignKey) and isinstance(value, Model):
        yield f"{field.name} needs a key, not a row: a row may be gone when the policy is carried out"
        return
    try:
        holds.get_prep_value(value)
        given = holds.to_python(value)
        # Of other fields, validators are about what people enter, such as a mail address.
        limits = [
            one for one in holds.validators if hasattr(one, "limit_value") or hasattr(one, "max_digits")
        ]
        for validator in limits:
            validator(given)
    except ValidationError as error:
        yield f"{field.name} can't be {value!r}: {' '.join(error.messages)}"
    except (TypeError, ValueError) as error:
        yield f"{field.name} can't be {value!r}: {error}"


# --- Unique values ----------------------------------------------------------------------------


def _of_unique(model: type[Model], declared: Anonymise) -> Iterator[str]:
    """Columns that have to differ from row to row, and would not."""
    for names, is_null_like_others in _unique(model):
        changed = {model._meta.get_field(name).name: value for name, value in declared.values.items()}
        given = {name: changed[name] for name in names if name in changed}
        if not given or any(not _is_same_everywhere(value) for value in given.values()):
            continue
        if not is_null_like_others and any(_constant(value) is None for value in given.values()):
            continue
        others = [name for name in names if name not in given]
        if any(getattr(model._meta.get_field(name), "unique", False) for name in others):
            continue
        what = f"{', '.join(given)} would be the same in every row"
        unique = "is unique" if len(names) == 1 else f"is unique together with {', '.join(others or names)}"
        yield f"{what}, and {unique}: build it from the key, such as Concat(Value('gone-'), 'pk')"


def _unique(model: type[Model]) -> Iterator[tuple[list[str], bool]]:
    """The columns that must differ together, and whether two rows without a value count as equal."""
    for field in model._meta.local_concrete_fields:
        if field.unique:
            yield [field.name], False
    for together in model._meta.unique_together:
        yield list(together), False
    for one in model._meta.constraints:
        if isinstance(one, UniqueConstraint) and not one.condition:
            names = [*one.fields, *_named_in(one.expressions)]
            yield list(dict.fromkeys(names)), one.nulls_distinct is False


def _named_in(expressions: Iterable[Any]) -> Iterator[str]:
    for expression in expressions:
        named: list[Any] = [part for part in _flat(expression) if isinstance(part, F)]
        yield from (part.name for part in named)


def _is_same_everywhere(value: Any) -> bool:
    """Whether it is a constant, or an expression of nothing but constants."""
    if not hasattr(value, "resolve_expression"):
        return True
    leaves = [part for part in _flat(value) if not getattr(part, "source_expressions", None)]
    return bool(leaves) and all(isinstance(part, Value) for part in leaves)


def _flat(value: Any) -> Iterable[Any]:
    """The expression and all that it is made of."""
    return value.flatten() if hasattr(value, "flatten") else [value]


# --- The rest of the declaration --------------------------------------------------------------


def _of_done(policy: Policy, declared: Anonymise) -> Iterator[str]:
    done = declared.done
    if done is None:
        yield (
            "it does not tell which rows are done, so every run would change them again: name a column for"
            " the date, done='anonymised_at', or a condition, done=Q(email__startswith='gone-')"
        )
    elif isinstance(done, Q):
        try:
            policy.rows(FAR).all().exclude(done)
        except (FieldError, TypeError, ValueError) as error:
            yield f"its condition done can't be used: {error}"
    elif done in declared.values:
        yield f"done sets {done}, and so does its value: leave one of them out"
    elif found := list(_of_column(policy.model, done)):
        yield f"done can't be set: {found[0]}"
    else:
        field = policy.model._meta.get_field(done)
        is_date = isinstance(field, DateField) and field.null
        if not (is_date or isinstance(field, BooleanField)):
            yield f"done={done!r} is neither a boolean nor a date that may be empty"


def _of_rules(policy: Policy, declared: Anonymise) -> Iterator[str]:
    """What a policy may say of rows that go, and not of rows that stay."""
    if policy.on_deleted:
        yield "on_deleted is called for rows that are deleted, and its rows stay"
    if policy.send_signals:
        yield "send_signals sends what Django sends for rows that are deleted, and its rows stay"
    if policy.at_most:
        yield "at_most lets rows go until the table is small enough, and its rows stay"
    if policy.keep_newest:
        counted = {*policy.owner_names, *([policy.age] if isinstance(policy.age, str) else [])}
        for name in sorted(counted & declared.values.keys()):
            yield f"keep_newest counts rows by {name}, which would change"
