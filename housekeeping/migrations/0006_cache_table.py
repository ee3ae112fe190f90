"""Empty: it made the cache table of the site that this app came from, which makes it itself now."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("housekeeping", "0005_hold_indexes")]
    operations = []
