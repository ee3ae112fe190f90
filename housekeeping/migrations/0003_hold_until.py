from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('housekeeping', '0002_undo'),
    ]

    operations = [
        migrations.AlterField(
            model_name='hold',
            name='until',
            field=models.DateTimeField(blank=True, db_index=True, help_text='Empty: for good.', null=True),
        ),
    ]
