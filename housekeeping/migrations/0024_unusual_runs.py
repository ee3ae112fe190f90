from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0023_run_workers")]

    operations = [
        migrations.AddField(
            "run",
            "usual_seconds",
            models.FloatField(help_text="The usual duration; null: its own is usual, too.", null=True),
        ),
        migrations.AddField(
            "run",
            "usual_rows",
            models.PositiveBigIntegerField(help_text="The same for the rows it deleted.", null=True),
        ),
    ]
