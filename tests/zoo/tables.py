"""Tables that Django does not make: models with another table, and triggers."""

from contextlib import contextmanager

import pytest
from django.db import connection


@contextmanager
def in_table(model, name, **facts):
    """The model with another table."""
    with pytest.MonkeyPatch.context() as patch:
        for fact, value in {"db_table": name, **facts}.items():
            patch.setattr(model._meta, fact, value)
        _forget_columns(model)
        yield
    _forget_columns(model)


def _forget_columns(model):
    for each in model._meta.fields:
        vars(each).pop("cached_col", None)


@contextmanager
def in_schema(*models):
    """The models with empty tables in a schema that is not in the search path (PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA depot")
    tables = []
    try:
        for model in models:
            name = f'"depot"."{model._meta.db_table}"'
            with connection.cursor() as cursor:
                cursor.execute(f'CREATE TABLE {name} (LIKE "{model._meta.db_table}" INCLUDING ALL)')
            tables.append(in_table(model, name))
            tables[-1].__enter__()
        yield
    finally:
        for table in reversed(tables):
            table.__exit__(None, None, None)
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA depot CASCADE")


@contextmanager
def trigger(model, when, does):
    """``does``: an SQL statement, or "keep" for a trigger that keeps the row from being deleted."""
    table = model._meta.db_table
    if connection.vendor == "postgresql":
        body = "RETURN NULL;" if does == "keep" else f"{does}; RETURN coalesce(NEW, OLD);"
        made = [
            f"CREATE FUNCTION acts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
            f"CREATE TRIGGER acts {when} ON {table} FOR EACH ROW EXECUTE FUNCTION acts()",
        ]
        gone = [f"DROP TRIGGER acts ON {table}", "DROP FUNCTION acts()"]
    else:
        body = "SELECT RAISE(IGNORE)" if does == "keep" else does
        made = [f"CREATE TRIGGER acts {when} ON {table} BEGIN {body}; END"]
        gone = ["DROP TRIGGER acts"]
    with connection.cursor() as cursor:
        for statement in made:
            cursor.execute(statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for statement in gone:
                cursor.execute(statement)
