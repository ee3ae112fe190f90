"""Empty the database after a test that commits, in a third of the time.

Django then asks for the permissions and content types of each model again, in some 130 queries. Here they are
put back as they were before the first test, in two.
"""

import contextlib

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import post_migrate

PERMISSIONS = "django.contrib.auth.management.create_permissions"  # Django's name of its receiver

_kept = []


def keep():
    """Remember what the default database has. Call it before the first test."""
    _kept[:] = [list(model.objects.using(DEFAULT_DB_ALIAS)) for model in (ContentType, Permission)]


@contextlib.contextmanager
def quickly():
    """Within it, databases are emptied in this way."""
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid=PERMISSIONS)
    # Django sends the signal once for each app.
    post_migrate.connect(_put_back, sender=apps.get_app_config("auth"))
    try:
        yield
    finally:
        post_migrate.disconnect(_put_back, sender=apps.get_app_config("auth"))
        post_migrate.connect(create_permissions, dispatch_uid=PERMISSIONS)
        post_migrate.connect(create_contenttypes)


def _put_back(using, **_):
    if using != DEFAULT_DB_ALIAS:
        for app in apps.get_app_configs():
            create_permissions(app, using=using, verbosity=0)
        return
    ContentType.objects.clear_cache()
    for rows in _kept:
        type(rows[0]).objects.using(using).bulk_create(rows)
