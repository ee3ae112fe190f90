"""A second database, for tests of sites that have several."""

from contextlib import contextmanager

import pytest
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, connections

from housekeeping.models import Consumer, Handover, Hold, Run
from site_config import database, env
from tests.shapes.models import Anchor, Page

ZOO = [model for model in apps.get_app_config("zoo").get_models() if not model._meta.proxy]
APART = [*ZOO, Page, Anchor]


class Zoo:
    """A router: the rows of the zoo, and pages, are in the second database."""

    def db_for_read(self, model, **hints):
        return "other" if model._meta.app_label == "zoo" or model in (Page, Anchor) else None

    db_for_write = db_for_read


@contextmanager
def opened(facts):
    """An open connection to a new database, with the zoo's tables, and its settings.

    It is opened before a test begins and hidden until a test needs it, because during a test Django only
    allows the default database to be opened.
    """
    connections.settings["other"] = facts
    found = connections["other"]
    with found.schema_editor() as editor:
        for model in (*APART, Consumer, Run, Hold, Handover):
            editor.create_model(model)
    del connections.settings["other"], connections["other"]
    try:
        yield found, facts
    finally:
        found.close()


@pytest.fixture(scope="module")
def _other_database(django_db_setup, django_db_blocker, tmp_path_factory):
    """A second database of the same kind."""
    name = f"{connection.settings_dict['NAME']}_other"
    if connection.vendor == "sqlite":
        name = str(tmp_path_factory.mktemp("other") / "other.sqlite3")
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f'CREATE DATABASE "{name}"')
        with opened(connections.settings[DEFAULT_DB_ALIAS] | {"NAME": name}) as found:
            yield found
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # PgBouncer keeps connections open


@pytest.fixture(scope="module")
def _database_of_another_kind(request, django_db_setup, django_db_blocker, tmp_path_factory):
    """PostgreSQL beside SQLite, or SQLite beside PostgreSQL."""
    is_on_sqlite = connection.vendor == "sqlite"
    url = request.getfixturevalue("postgres_url") if is_on_sqlite else "sqlite:///other.sqlite3"
    found = env.database("NOT_SET", url, root=tmp_path_factory.mktemp("other"))
    facts = connections.settings[DEFAULT_DB_ALIAS] | database.configured(found, is_pooled=False)
    with django_db_blocker.unblock(), opened(facts) as found:
        yield found
        if is_on_sqlite:  # a server that other modules use, too
            with found[0].cursor() as cursor:
                cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@contextmanager
def shown(found):
    """The alias of a second database with empty tables of the zoo."""
    connections["other"], connections.settings["other"] = found
    try:
        yield "other"
        for model in (*reversed(APART), Handover):
            model.objects.using("other").all().delete()
    finally:
        del connections["other"], connections.settings["other"]


@contextmanager
def not_migrated():
    """The second database lacks the table of handovers meanwhile."""
    with connections["other"].schema_editor() as editor:
        editor.delete_model(Handover)
    try:
        yield
    finally:
        with connections["other"].schema_editor() as editor:
            editor.create_model(Handover)


@pytest.fixture
def other(_other_database, transactional_db):
    with shown(_other_database) as alias:
        yield alias


@pytest.fixture(params=["_other_database", "_database_of_another_kind"], ids=["same kind", "another kind"])
def any_other(request, transactional_db):
    with shown(request.getfixturevalue(request.param)) as alias:
        yield alias


@pytest.fixture
def other_sqlite(request, transactional_db):
    name = "_other_database" if connection.vendor == "sqlite" else "_database_of_another_kind"
    with shown(request.getfixturevalue(name)) as alias:
        yield alias


@pytest.fixture
def zoo_apart(any_other, settings):
    """All rows of the zoo are in a second database, of the same kind and then of another one."""
    settings.DATABASE_ROUTERS = ["tests.other_database.Zoo"]
    yield any_other
    settings.DATABASE_ROUTERS = []
