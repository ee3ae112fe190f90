from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0016_stamped_by_the_database")]

    operations = [
        migrations.AddField(
            "consumer",
            "clock_offset_ms",
            models.BigIntegerField(
                null=True, help_text="How far the host's clock is ahead of the database's."
            ),
        ),
    ]
