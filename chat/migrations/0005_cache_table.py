"""The table that throttles count in, shared by every process of the site.

``createcachetable`` leaves one alone that is there already: the app housekeeping used to make it.
"""

from django.core.management import call_command
from django.db import migrations


def make_table(apps, schema_editor):
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("chat", "0004_stamped_by_the_database")]
    operations = [migrations.RunPython(make_table, migrations.RunPython.noop)]
