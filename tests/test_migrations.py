"""An old version of the site writes beside the new one during an upgrade: what migrations may do."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

from housekeeping.migrations._operations import LockTogether
from tests.prove import releases

# What the old version's SQL names must stay where it is.
REMOVALS = (
    operations.RemoveField,
    operations.RenameField,
    operations.DeleteModel,
    operations.RenameModel,
    operations.AlterModelTable,
)
# SQLite copies the whole table for most changes of it, and nobody can write meanwhile.
MAY_BE_LARGE = [
    "chat_user",
    "chat_conversation",
    "chat_chatmessage",
    "housekeeping_run",
    "housekeeping_logline",
    "housekeeping_plannedrows",
    "housekeeping_archive",
    "housekeeping_hold",
    "housekeeping_act",
]


def later_migrations():
    """Those of our apps that the newest release does not have, each with the state before it."""
    loader = MigrationLoader(None)
    released = releases.newest().migrations
    for app, name in sorted(loader.graph.nodes):
        if app in released and name > released[app]:
            yield loader.get_migration(app, name), loader.project_state((app, name), at_end=False)


def operations_since_the_release():
    for migration, state in later_migrations():
        new_models = set()
        for operation in migration.operations:
            if isinstance(operation, operations.CreateModel):
                new_models.add(operation.name_lower)
            yield f"{migration}: {operation.describe()}", operation, state, new_models


def has_a_value_of_its_own(field):
    return field.null or field.many_to_many or field.db_default is not NOT_PROVIDED


def test_every_later_column_is_nullable_or_has_a_default_in_the_database():
    without = [
        what
        for what, operation, _, new_models in operations_since_the_release()
        if isinstance(operation, operations.AddField)
        and operation.model_name_lower not in new_models
        and not has_a_value_of_its_own(operation.field)
    ]

    assert without == []


def test_no_later_migration_takes_away_what_the_old_version_uses():
    removed = [what for what, operation, *_ in operations_since_the_release() if type(operation) in REMOVALS]

    assert removed == []


def test_no_later_migration_makes_a_nullable_column_required():
    tightened = [
        what
        for what, operation, state, new_models in operations_since_the_release()
        if isinstance(operation, operations.AlterField)
        and operation.model_name_lower not in new_models
        and not has_a_value_of_its_own(operation.field)
        and has_a_value_of_its_own(before(operation, state))
    ]

    assert tightened == []


def before(operation, state):
    """The field as it was before its migration; as it becomes, where the migration itself adds it."""
    [model] = [found for (_, name), found in state.models.items() if name == operation.model_name_lower]
    return model.fields.get(operation.name, operation.field)


def test_no_later_migration_waits_for_a_table_while_it_holds_another():
    """The old version may hold the other one, and wait for this one (tests/prove/test_migration_locks.py)."""
    loader = MigrationLoader(None)
    known = loader.project_state(list(releases.newest().migrations.items())).models.keys()
    wrong = []
    for migration, _ in later_migrations():
        changed = {
            operation.model_name_lower
            for operation in migration.operations
            if (migration.app_label, getattr(operation, "model_name_lower", "")) in known
        }
        is_locked = [set(one.models) for one in migration.operations[:1] if isinstance(one, LockTogether)]
        if len(changed) > 1 and is_locked != [changed] and not is_one_table_at_a_time(migration):
            wrong.append(f"{migration}: {sorted(changed)}")

    assert wrong == []


def is_one_table_at_a_time(migration):
    """Outside a transaction. It may be interrupted, so each change must be one that can be repeated."""
    kinds = {type(one).__name__ for one in migration.operations}
    return not migration.atomic and kinds == {"WithoutCopying"}


@pytest.mark.django_db(transaction=True)  # SQLite changes no table within a transaction
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite copies tables")
def test_no_later_migration_copies_a_large_table_on_sqlite(capsys):
    for migration, _ in later_migrations():
        call_command("sqlmigrate", migration.app_label, migration.name)

    sql = capsys.readouterr().out
    assert [table for table in MAY_BE_LARGE if f'CREATE TABLE "new__{table}"' in sql] == []
