"""The settings in force, on every face: their values, where these come from, and what is wrong with one."""

import json

import pytest
from django.conf import settings as django_settings
from django.urls import reverse
from huey.consumer_options import config_defaults

from housekeeping import conf
from housekeeping.reading import in_force
from housekeeping.steering import retentions
from tests import make
from tests.management.commands import output
from tests.site_config import site
from tests.visitors import text

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler/settings"
PAGE = "/scheduler-admin/settings"


def by_name():
    return {one.name: one for one in in_force.read()}


def test_every_face_lists_every_setting(api, admin_client):
    names = {f"HOUSEKEEPING_{name}" for name in conf.SETTINGS} - {"HOUSEKEEPING_VARIABLES"}

    from_api = api.get(API).json()["results"]
    from_command = json.loads(output("housekeeping_settings", "--json"))
    page = admin_client.get(PAGE).text

    assert names <= {one["name"] for one in from_api}
    assert [one["name"] for one in from_command] == [one["name"] for one in from_api]
    assert all(one["meaning"] for one in from_api)
    assert all(f'id="setting-{one["name"]}"' in page for one in from_api)


def test_a_value_comes_from_the_default_the_settings_or_the_environment(settings, monkeypatch):
    settings.HOUSEKEEPING_VARIABLES = {
        "HOUSEKEEPING_PACE": "PACE_OF_PURGES",
        "HOUSEKEEPING_BRAKE_ROWS": "NOT_SET",
    }
    monkeypatch.setenv("PACE_OF_PURGES", "gentle")
    settings.HOUSEKEEPING_PACE = "gentle"
    settings.HOUSEKEEPING_UNDO_DAYS = 3
    settings.HOUSEKEEPING_BRAKE_ROWS = 100
    del settings.HOUSEKEEPING_BRAKE_SHARE

    found = by_name()

    def facts(name):
        one = found[f"HOUSEKEEPING_{name}"]
        return one.value, one.source, one.variable

    assert facts("PACE") == ("gentle", "environment", "PACE_OF_PURGES")
    assert facts("UNDO_DAYS") == (3, "settings", "")
    assert facts("BRAKE_ROWS") == (100, "default", "NOT_SET")
    assert facts("BRAKE_SHARE") == (0.5, "default", "")


def test_a_changed_retention_tells_who_changed_it_and_leads_to_its_policy(api, admin_client):
    retentions.change("conversations", 60, by=make.ADA)

    found = next(one for one in api.get(API).json()["results"] if one["name"] == "retention.conversations")

    assert (found["value"], found["default"], found["source"]) == (60, 30, "changed")
    assert found["changed_by"] == "ada"
    assert found["changed_at"]
    assert "retention.conversations = 60 (changed by ada, " in output("housekeeping_settings")
    page = admin_client.get(PAGE)
    assert f'href="{reverse("housekeeping:policy", args=["conversations"])}"' in page.text
    assert "changed by ada," in text(page)
    assert "declared: 30 days" in text(page)


def test_a_value_that_check_refuses_is_shown_with_the_reason(settings, api, admin_client):
    settings.HOUSEKEEPING_HEARTBEAT_SECONDS = "often"
    settings.HOUSEKEEPING_VARIABLES = ["not", "a", "dictionary"]
    settings.HUEY = None
    reason = "This can't be used. Write a whole number, 1 to 3600."

    found = by_name()["HOUSEKEEPING_HEARTBEAT_SECONDS"]

    assert (found.value, found.problem, found.number) == ("'often'", reason, None)
    assert reason in text(admin_client.get(PAGE))
    assert reason in output("housekeeping_settings")
    assert api.get(API).status_code == 200


@pytest.mark.parametrize(
    ("token", "shown"), [("a secret token", "set"), ("", "not set"), (b"a secret", "set")]
)
def test_a_secret_is_never_shown(settings, api, admin_client, token, shown):
    settings.HOUSEKEEPING_METRICS_TOKEN = token
    settings.HUEY = {
        "huey_class": "housekeeping.queue.PostgresQueue",
        "dsn": "postgres://user:secret@db:5433/queue?password=secret",
    }

    faces = [api.get(API).text, admin_client.get(PAGE).text, output("housekeeping_settings")]

    assert not [face for face in faces if "secret@" in face or "a secret" in face or "=secret" in face]
    assert f"HOUSEKEEPING_METRICS_TOKEN = {shown} " in faces[2]
    assert "HUEY = PostgresQueue: postgres://db:5433/queue (" in faces[2]


def test_those_who_get_alerts_are_listed():
    assert by_name()["alerts.recipients"].problem == "Nobody gets alerts."

    make.administrator(email="ada@example.com")

    found = by_name()["alerts.recipients"]
    assert (found.value, found.source, found.problem) == (["ada@example.com"], "accounts", "")


def test_the_metrics_have_the_numbers(settings, client):
    settings.HOUSEKEEPING_UNDO_DAYS = 3

    page = client.get("/metrics").text

    assert 'housekeeping_setting{setting="HOUSEKEEPING_UNDO_DAYS"} 3.0' in page
    assert "HOUSEKEEPING_PACE" not in page


def test_without_the_settings_of_a_consumer_those_of_huey_are_in_force(settings):
    settings.HUEY = {"huey_class": "housekeeping.queue.SqliteQueue", "filename": "huey.sqlite3"}
    defaults = dict(config_defaults)

    found = by_name()

    for name in ("workers", "worker_type"):
        one = found[f"HUEY.{name}"]
        assert (one.value, one.source) == (defaults[name], "default")


def test_this_site_tells_which_variable_a_value_comes_from(tmp_path):
    site.manage(tmp_path, "migrate", "-v0")

    process = site.manage(
        tmp_path,
        "housekeeping_settings",
        HOUSEKEEPING_PACE="gentle",
        METRICS_TOKEN="a secret",
        SERVED_AT="http://127.0.0.1:8011",
    )

    lines = process.stdout.splitlines()
    assert "HOUSEKEEPING_PACE = gentle (environment HOUSEKEEPING_PACE)" in lines, process.stderr
    assert "HOUSEKEEPING_METRICS_TOKEN = set (environment METRICS_TOKEN)" in lines
    assert "HOUSEKEEPING_UNDO_DAYS = 7 (default)" in lines
    assert "HOUSEKEEPING_SITE_URL = http://127.0.0.1:8011 (settings)" in lines
    assert any(
        line.startswith("DATABASES = ") and line.endswith("(environment DATABASE_URL)") for line in lines
    )


def test_this_site_names_the_variable_of_each_setting_of_the_app():
    known = django_settings.HOUSEKEEPING_VARIABLES

    assert {"HOUSEKEEPING_UNDO_DAYS", "HOUSEKEEPING_METRICS_TOKEN", "retention.users"} <= known.keys()
