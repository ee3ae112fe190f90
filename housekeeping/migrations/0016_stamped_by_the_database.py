from django.db import migrations, models

import housekeeping.database.clock
from housekeeping.migrations._operations import WithoutCopying


def stamped(model, name):
    """The database stamps new rows by its own clock."""
    return WithoutCopying(model, name, models.DateTimeField(db_default=housekeeping.database.clock.Now()))


class Migration(migrations.Migration):
    atomic = False  # one table at a time (see docs/howto/upgrade.md); each change can be repeated

    dependencies = [("housekeeping", "0015_dry_runs_beside")]

    operations = [
        stamped("hold", "made_at"),
        stamped("policystate", "changed_at"),
        stamped("schedulestate", "computed_at"),
    ]
