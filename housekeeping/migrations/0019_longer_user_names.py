from django.db import migrations, models

from housekeeping.migrations._operations import WithoutCopying


def widened(model, name, **options):
    """A user's name: as long as an e-mail address, which may be the name of a user model's accounts."""
    return WithoutCopying(model, name, models.CharField(max_length=254, blank=True, **options))


class Migration(migrations.Migration):
    atomic = False  # one table at a time (see docs/howto/upgrade.md); each change can be repeated

    dependencies = [("housekeeping", "0018_archives_expire_at")]

    operations = [
        widened("act", "who"),
        widened("hold", "made_by"),
        widened("policystate", "changed_by"),
        widened("run", "approved_by", help_text="Who let it pass the brake."),
        widened("run", "requested_by"),
    ]
