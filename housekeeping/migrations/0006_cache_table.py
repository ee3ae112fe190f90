"""The table that throttles count in, shared by every process of the site."""

from django.core.management import call_command
from django.db import migrations


def make_table(apps, schema_editor):
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0005_hold_indexes")]
    operations = [migrations.RunPython(make_table, migrations.RunPython.noop)]
