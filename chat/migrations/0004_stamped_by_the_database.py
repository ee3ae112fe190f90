from django.db import migrations, models

import chat.clock


class WithoutCopying(migrations.AlterField):
    """On SQLite the default is written into each INSERT, and altering the column would copy the table."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "sqlite":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    database_backwards = database_forwards


class Migration(migrations.Migration):
    atomic = False  # one table at a time (see docs/howto/upgrade.md); each change can be repeated

    dependencies = [("chat", "0003_deletion_warned_at")]

    operations = [
        WithoutCopying(
            "user", "date_joined", models.DateTimeField("date joined", db_default=chat.clock.Now())
        ),
        WithoutCopying(
            "conversation", "created_at", models.DateTimeField(db_default=chat.clock.Now(), db_index=True)
        ),
        WithoutCopying(
            "chatmessage", "created_at", models.DateTimeField(db_default=chat.clock.Now(), db_index=True)
        ),
    ]
