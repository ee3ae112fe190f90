from django.db import migrations


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
