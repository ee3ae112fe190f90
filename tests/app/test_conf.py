"""The settings of the app: a default for each, read when it is used, and checked."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks

from housekeeping import conf

# From Django 6.1 on, `check` asks every database what it can do.
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", conf.SETTINGS)
def test_what_a_project_sets_is_in_force_at_once_and_the_default_where_it_sets_nothing(settings, name):
    setattr(settings, f"HOUSEKEEPING_{name}", "another")
    assert getattr(conf, name) == "another"

    delattr(settings, f"HOUSEKEEPING_{name}")
    assert getattr(conf, name) == conf.SETTINGS[name].default


def test_each_setting_is_described_and_has_a_default():
    described = re.findall(r"^([A-Z_]+): [\w\[\], ]+$", Path(conf.__file__).read_text(), re.MULTILINE)

    assert described == list(conf.SETTINGS)


def test_a_setting_that_is_not_there_is_an_error_that_names_those_that_are():
    with pytest.raises(AttributeError, match="no setting 'UNDO_DAY'; choose one of UNDO_DAYS, "):
        conf.__getattr__("UNDO_DAY")


def refused():
    return [(error.msg, error.hint) for error in run_checks() if error.id == "housekeeping.E010"]


def test_every_default_can_be_used(settings):
    for name in conf.SETTINGS:
        if hasattr(settings, f"HOUSEKEEPING_{name}"):
            delattr(settings, f"HOUSEKEEPING_{name}")

    assert refused() == []


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("UNDO_DAYS", -1, "a whole number, 0 to 36500"),
        ("UNDO_DAYS", 36_501, "a whole number, 0 to 36500"),
        ("UNDO_DAYS", "7", "a whole number, 0 to 36500"),
        ("UNDO_DAYS", True, "a whole number, 0 to 36500"),
        ("UNDO_DAYS", timedelta(days=7), "a whole number, 0 to 36500"),
        ("PACE", "fast", "one of gentle, normal, flat-out"),
        ("PACE", ["normal"], "one of gentle, normal, flat-out"),
        ("BRAKE_SHARE", 50, "a number from 0 to 1"),
        ("BRAKE_SHARE", float("nan"), "a number from 0 to 1"),
        ("BRAKE_ROWS", 0.5, "a whole number, 0 or more"),
        ("TIME_BUDGET_MINUTES", 10_081, "a whole number, 0 to 10080"),
        ("ARCHIVE_BUDGET_MB", None, "a whole number, 0 or more"),
        ("HEARTBEAT_SECONDS", 0, "a whole number, 1 to 3600"),
        ("SITE_URL", "example.com", "https:// and a host, or an empty text"),
        ("SITE_URL", "https://example.com?page=1", "https:// and a host, or an empty text"),
        ("SITE_URL", "https://example.com:99999", "https:// and a host, or an empty text"),
        ("SITE_URL", "https://[example", "https:// and a host, or an empty text"),
        ("METRICS_TOKEN", b"secret", "a text"),
        ("TRIGGER_RATE", "often", "a rate such as 60/min, or an empty text for no limit"),
        ("TRIGGER_RATE", "٦/min", "a rate such as 60/min, or an empty text for no limit"),
        ("RECIPES", "axes", "a list of names"),
    ],
)
def test_check_names_a_value_that_can_t_be_used_and_says_what_to_write(settings, name, value, wanted):
    setattr(settings, f"HOUSEKEEPING_{name}", value)

    shown = "of the type bytes" if name == "METRICS_TOKEN" else repr(value)
    assert refused() == [(f"HOUSEKEEPING_{name} can't be used: it is {shown}.", f"Write {wanted}.")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("BRAKE_SHARE", 1), ("UNDO_DAYS", 0), ("TRIGGER_RATE", ""), ("RECIPES", ("axes",))],
)
def test_check_takes_every_value_in_the_range(settings, name, value):
    setattr(settings, f"HOUSEKEEPING_{name}", value)

    assert refused() == []


def test_leases_follow_the_heartbeat(settings):
    settings.HOUSEKEEPING_HEARTBEAT_SECONDS = 20

    assert (conf.beat(), conf.life()) == (timedelta(seconds=20), timedelta(minutes=1))


def test_the_app_reads_no_setting_of_its_own_past_conf():
    files = [path for path in Path(conf.__file__).parent.rglob("*.py") if path.name != "conf.py"]
    found = [path.name for path in files if "settings.HOUSEKEEPING_" in path.read_text()]

    assert found == []
