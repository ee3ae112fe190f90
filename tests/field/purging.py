"""Purges all rows of each model of a project, and undoes it.

For each it compares what the preview counted with what went, what is left with what Django's ``delete()``
would leave, and the database after the undo with the one before.
"""

import logging
from collections import Counter
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Model, QuerySet, signals

from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade
from housekeeping.models import Hold
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests.field import filling


def set_up() -> list[type[Model]]:
    """The tables of the project, all of them empty."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    settings.DATABASE_ROUTERS = []
    logging.disable(logging.CRITICAL)
    for signal in (signals.pre_delete, signals.post_delete, signals.pre_init, signals.post_init):
        signal.receivers = []  # a project's own may want a cache or a broker
        signal.sender_receivers_cache.clear()
    every = [one for one in apps.get_models(True) if one._meta.managed and not one._meta.proxy]
    with connection.cursor() as cursor:
        for sql in SQL if connection.vendor == "postgresql" else ():
            cursor.execute(sql)
    filling.make_tables(every)
    return [one for one in every if one._meta.app_label != "housekeeping"]


# Of netbox.
SQL = ["CREATE COLLATION IF NOT EXISTS natural_sort (provider = icu, locale = 'und-u-kn-true')"]


def tell(name: str) -> dict[str, Any]:
    tables = set_up()
    filled = filling.Filling(tables)
    filled.fill()
    found: dict[str, Any] = {"tables": len(tables), "empty": filled.refused, "otherwise": []}
    found |= {"purged": 0, "as_django": 0, "failed": {}}
    for table in filled.keys:
        try_one(table, tables, found)
    return found


def as_django_would(table: type[Model], tables: list[type[Model]]) -> Any:
    """What ``delete()`` would leave of the database, apart from rows that it refuses. None if it fails."""
    refused = []
    for key in QuerySet(table).values_list("pk", flat=True):
        try:
            with transaction.atomic():
                QuerySet(table).filter(pk=key).delete()
                connection.check_constraints()
                transaction.set_rollback(True)
        except DatabaseError:
            refused.append(key)
        except Exception:  # the project's own code may raise anything
            return None
    try:
        with transaction.atomic():
            QuerySet(table).exclude(pk__in=refused).delete()
            left = filling.everything(tables)
            transaction.set_rollback(True)
    except Exception:
        return None
    return left


def try_one(table: type[Model], tables: list[type[Model]], found: dict[str, Any]) -> None:
    if cascade.problems(table):
        return
    label, before, left = table._meta.label, filling.everything(tables), as_django_would(table, tables)
    policy = Policy("rows", lambda cutoff: QuerySet(table), deletes_files=False)
    registry.task("rows", policy=policy)(lambda purge: {"gone": purge(policy)})
    try:
        dry = carry_out(dry_run=True)
        run = carry_out()
        after = filling.everything(tables)
        gone = Counter(label for label, _ in before.keys() - after.keys())
        assert gone == Counter(dry.plan["rows"]["tables"]), "the preview counted other rows"
        if gone:
            carry_out(undoes=run)
        assert filling.everything(tables) == before, "the undo left another database"
        found["purged"] += 1
        if left is not None:
            found["as_django"] += left == after
            found["otherwise"] += [label] if left != after else []
    except Exception as error:
        found["failed"][label] = f"{type(error).__name__}: {error}"
    finally:
        registry.TASKS.known.pop("rows")
        Hold.objects.all().delete()  # an undo puts them on rows


def carry_out(*, undoes: Any = None, **options: Any) -> Any:
    def send(run: Any) -> None:
        """It is carried out here."""

    asked = control.undo(undoes, send=send) if undoes else control.request("rows", send=send, **options)
    run = execution.execute(execution.claim(asked.pk, asked.attempts))
    assert run.status == "succeeded", run.error
    return run
