from django.db import migrations, models

import housekeeping.database.clock


class WithoutCopying(migrations.AlterField):
    """On SQLite the default is written into each INSERT, and altering the column would copy the table."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "sqlite":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    database_backwards = database_forwards


def stamped(model, name):
    """The database stamps new rows by its own clock."""
    return WithoutCopying(model, name, models.DateTimeField(db_default=housekeeping.database.clock.Now()))


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0015_dry_runs_beside")]

    operations = [
        stamped("hold", "made_at"),
        stamped("policystate", "changed_at"),
        stamped("schedulestate", "computed_at"),
    ]
