"""A second database, for tests of sites that have several."""

import pytest
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, connections

from housekeeping.models import Consumer, Hold, Run

ZOO = [model for model in apps.get_app_config("zoo").get_models() if not model._meta.proxy]


@pytest.fixture(scope="module")
def _other_database(django_db_setup, django_db_blocker, tmp_path_factory):
    """An open connection to a second database of the same kind, with the zoo's tables.

    It is opened before a test begins and hidden until a test needs it, because during a test Django only
    allows the default database to be opened.
    """
    name = f"{connection.settings_dict['NAME']}_other"
    if connection.vendor == "sqlite":
        name = str(tmp_path_factory.mktemp("other") / "other.sqlite3")
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f'CREATE DATABASE "{name}"')
        connections.settings["other"] = connections.settings[DEFAULT_DB_ALIAS] | {"NAME": name}
        opened = connections["other"]
        with opened.schema_editor() as editor:
            for model in (*ZOO, Consumer, Run, Hold):
                editor.create_model(model)
        facts = connections.settings.pop("other")
        del connections["other"]
        yield opened, facts
        opened.close()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # PgBouncer keeps connections open


@pytest.fixture
def other(_other_database, transactional_db):
    """The alias of a second database with empty tables of the zoo."""
    connections["other"], connections.settings["other"] = _other_database
    yield "other"
    for model in reversed(ZOO):
        model.objects.using("other").all().delete()
    del connections["other"], connections.settings["other"]
