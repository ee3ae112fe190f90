from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0020_task_states")]

    operations = [
        migrations.RemoveConstraint("run", "run_one_waiting_per_task"),
        migrations.AddField(
            "run", "not_before", models.DateTimeField(help_text="When an automatic retry is due.", null=True)
        ),
        migrations.AddField(
            "run",
            "retry_number",
            models.PositiveSmallIntegerField(help_text="Of an automatic retry: 1, 2, …", null=True),
        ),
        migrations.AddConstraint(
            "run",
            models.UniqueConstraint(
                condition=models.Q(
                    status="queued", attempts=0, dry_run=False, undo_of=None, retry_number=None
                ),
                fields=["task"],
                name="run_one_waiting_per_task",
            ),
        ),
    ]
