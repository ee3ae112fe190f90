import time

from django.db import OperationalError, migrations, transaction
from django.db.migrations.operations.base import Operation

LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code


class RenamedInCode(migrations.RenameField):
    """Renames the attribute of a model. The column keeps its name, which a version that still runs uses."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        pass

    database_backwards = database_forwards


class WithoutCopying(migrations.AlterField):
    """Changes nothing on SQLite, which would copy the whole table, and where the change makes no
    difference: a default of the database's is written into each INSERT, and no length is enforced."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "sqlite":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    database_backwards = database_forwards


class LockTogether(Operation):
    """Takes the locks of all these tables, or of none, for the rest of the migration. First in its list.

    A version that still runs uses the tables in another order. If the migration kept one table while it waited
    for the next, the two could wait for each other, and PostgreSQL would end either. So it waits for half of
    PostgreSQL's deadlock_timeout at most; then it lets go of all and tries again.
    """

    patience = 60  # seconds
    reversible = True

    def __init__(self, *models):
        self.models = models

    def deconstruct(self):
        return self.__class__.__name__, list(self.models), {}

    def describe(self):
        return f"Lock together {', '.join(self.models)}"

    def state_forwards(self, app_label, state):
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        alias, vendor = schema_editor.connection.alias, schema_editor.connection.vendor
        models = [from_state.apps.get_model(app_label, name) for name in self.models]
        if vendor != "postgresql" or not self.allow_migrate_model(alias, models[0]):
            return
        tables = ", ".join(schema_editor.quote_name(model._meta.db_table) for model in models)
        give_up_at = time.monotonic() + self.patience
        while not self._lock(schema_editor, tables, is_last=time.monotonic() > give_up_at):
            time.sleep(0.2)

    database_backwards = database_forwards

    def _lock(self, schema_editor, tables, *, is_last):
        try:
            with transaction.atomic(using=schema_editor.connection.alias):
                schema_editor.execute("SET LOCAL lock_timeout = '500ms'")
                schema_editor.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
                schema_editor.execute("SET LOCAL lock_timeout TO DEFAULT")
        except OperationalError as error:
            if is_last or getattr(error.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                raise
            return False
        return True
