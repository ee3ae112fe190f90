from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0021_automatic_retries")]

    operations = [
        migrations.AddField("taskstate", "acknowledged_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "taskstate",
            "acknowledged_by",
            models.CharField(blank=True, max_length=254, default="", db_default=""),
        ),
        migrations.AddField(
            "taskstate",
            "acknowledged_until",
            models.DateTimeField(help_text="null: until it succeeds.", null=True),
        ),
        migrations.AddField(
            "taskstate",
            "acknowledged_reason",
            models.CharField(blank=True, max_length=300, default="", db_default=""),
        ),
    ]
