from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0022_acknowledgements")]

    operations = [
        migrations.AddField(
            "run",
            "worker",
            models.CharField(
                help_text="Of its consumer; of a command, its host and process.", max_length=300, null=True
            ),
        ),
        migrations.AddField(
            "run", "claimed_at", models.DateTimeField(help_text="When its last attempt began.", null=True)
        ),
        migrations.AddField(
            "run", "batches", models.PositiveIntegerField(help_text="Batches that are committed.", null=True)
        ),
        migrations.AddField(
            "run",
            "backend_pid",
            models.PositiveIntegerField(
                help_text="The PostgreSQL process that serves its worker.", null=True
            ),
        ),
    ]
