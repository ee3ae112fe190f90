"""The index of the last activity names the type of its expression: to the database it is the same."""

from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [("chat", "0005_cache_table")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("conversation", "conversation_last_activity"),
                migrations.AddIndex(
                    "conversation",
                    models.Index(
                        Coalesce("last_message_at", "created_at", output_field=models.DateTimeField()),
                        name="conversation_last_activity",
                    ),
                ),
            ]
        )
    ]
