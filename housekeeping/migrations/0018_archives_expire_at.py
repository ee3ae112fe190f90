from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0017_clock_offset")]

    operations = [
        migrations.AddField("run", "archives_expire_at", models.DateTimeField(null=True)),
    ]
