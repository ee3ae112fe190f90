from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("housekeeping", "0029_erasure_touched"),
    ]

    operations = [
        migrations.CreateModel(
            name="OpenCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("policy", models.CharField(db_index=True, max_length=100)),
                ("run", models.UUIDField(help_text="Null for a purge in a shell.", null=True)),
                ("payload", models.BinaryField(help_text="zstd of JSON: the keys.")),
            ],
            options={
                "abstract": False,
            },
        ),
    ]
