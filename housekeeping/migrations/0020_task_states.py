from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0019_longer_user_names")]

    operations = [
        migrations.CreateModel(
            name="TaskState",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("is_paused", models.BooleanField(default=False)),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.CharField(blank=True, max_length=254)),
                ("reason", models.CharField(blank=True, help_text="Why it is paused.", max_length=300)),
            ],
            options={"abstract": False},
        ),
    ]
