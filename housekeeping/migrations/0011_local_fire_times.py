from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0010_outbox")]
    operations = [
        migrations.AddField(
            model_name="schedulestate",
            name="local_times",
            field=models.CharField(
                db_default="",
                default="",
                help_text="next_fire_at, and what it comes after, local.",
                max_length=100,
            ),
        ),
    ]
