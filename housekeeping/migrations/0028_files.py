

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("housekeeping", "0027_erasures"),
    ]

    operations = [
        migrations.CreateModel(
            name="FileToDelete",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "field",
                    models.CharField(help_text="The file field: app_label.Model.field.", max_length=300),
                ),
                ("name", models.TextField(help_text="The file's name in the storage of that field.")),
                ("policy", models.CharField(max_length=100)),
                ("run_id", models.UUIDField(null=True)),
                (
                    "due_at",
                    models.DateTimeField(db_index=True, help_text="When the undo window of the row closes."),
                ),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, help_text="How often the storage has refused."),
                ),
                ("error", models.TextField(blank=True, help_text="What the storage said the last time.")),
            ],
            options={
                "abstract": False,
            },
        ),
    ]
