"""The settings of the app: a default for each, read when it is asked for."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from housekeeping import conf


@pytest.mark.parametrize("name", conf.DEFAULTS)
def test_what_a_project_sets_is_in_force_at_once_and_else_the_default(settings, name):
    setattr(settings, f"HOUSEKEEPING_{name}", "another")
    assert getattr(conf, name) == "another"

    delattr(settings, f"HOUSEKEEPING_{name}")
    assert getattr(conf, name) == conf.DEFAULTS[name]


def test_each_setting_is_described_and_has_a_default():
    described = re.findall(r"^([A-Z_]+): [\w\[\]]+$", Path(conf.__file__).read_text(), re.MULTILINE)

    assert described == list(conf.DEFAULTS)


def test_a_setting_that_is_not_there_is_an_error_that_names_those_that_are():
    with pytest.raises(AttributeError, match="no setting 'UNDO_DAY'; there are UNDO_DAYS, "):
        conf.__getattr__("UNDO_DAY")


def test_leases_follow_the_heartbeat(settings):
    settings.HOUSEKEEPING_HEARTBEAT_SECONDS = 20

    assert (conf.beat(), conf.life()) == (timedelta(seconds=20), timedelta(minutes=1))


def test_the_app_reads_no_setting_of_its_own_past_conf():
    files = [path for path in Path(conf.__file__).parent.rglob("*.py") if path.name != "conf.py"]
    found = [path.name for path in files if "settings.HOUSEKEEPING_" in path.read_text()]

    assert found == []
