from django.db import migrations, models

from housekeeping.migrations._operations import RenamedInCode


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0025_table_sizes")]

    operations = [
        migrations.CreateModel(
            name="Channel",
            fields=[
                ("name", models.CharField(max_length=50, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("mail", "Mail"), ("webhook", "Webhook"), ("slack", "Slack")], max_length=10
                    ),
                ),
                ("address", models.CharField(blank=True, max_length=500)),
                ("kinds", models.JSONField(default=list, help_text="Kinds of incidents; empty: all.")),
                ("tasks", models.JSONField(default=list, help_text="Tasks; empty: all incidents.")),
                ("is_on", models.BooleanField(default=True)),
                (
                    "is_reminded",
                    models.BooleanField(default=True, help_text="Also each day while an incident lasts."),
                ),
                (
                    "secret_number",
                    models.PositiveIntegerField(default=1, help_text="A new one makes a new secret."),
                ),
                ("made_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.CharField(blank=True, max_length=254)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="Incident",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("failed", "Failed"),
                            ("held", "Held"),
                            ("missed", "Missed"),
                            ("backlog", "Backlog"),
                            ("archive", "Archive"),
                            ("damaged", "Damaged"),
                            ("consumer", "Consumer"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "target",
                    models.CharField(
                        blank=True, help_text="The task, schedule, policy or run.", max_length=150
                    ),
                ),
                (
                    "task",
                    models.CharField(blank=True, help_text="The task that it concerns, if any.", max_length=100),
                ),
                ("run", models.UUIDField(help_text="The run that shows it.", null=True)),
                ("text", models.CharField(help_text="What is wrong, in one sentence.", max_length=300)),
                ("opened_at", models.DateTimeField()),
                ("told_at", models.DateTimeField(help_text="When it was last told.")),
                ("told", models.PositiveIntegerField(default=0, help_text="How often it was told.")),
                ("closed_at", models.DateTimeField(db_index=True, null=True)),
            ],
            options={"ordering": ["-opened_at", "-id"]},
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)), fields=("kind", "target"), name="incident_one_open"
            ),
        ),
        # The column keeps its name, so that a version that still runs can use the table.
        migrations.AlterField(
            "delivery",
            "channel",
            models.CharField(
                db_column="channel", default="mail", help_text="How it is sent.", max_length=20
            ),
        ),
        RenamedInCode("delivery", "channel", "transport"),
        migrations.AddField(
            "delivery",
            "channel",
            models.CharField(
                blank=True,
                db_column="channel_name",
                db_default="",
                default="",
                help_text="The channel that it goes through; of a ping, its schedule.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            "delivery",
            "answer",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The server's last answer: its code.",
                max_length=100,
            ),
        ),
        migrations.AlterField(
            "delivery",
            "address",
            models.CharField(help_text="A mail address; a URL without its secret parts.", max_length=320),
        ),
        migrations.AddField(
            "delivery",
            "incident",
            models.ForeignKey(
                null=True,
                on_delete=models.deletion.SET_NULL,
                related_name="deliveries",
                to="housekeeping.incident",
            ),
        ),
    ]
