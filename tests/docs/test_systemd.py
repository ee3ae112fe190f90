"""The systemd unit of docs/howto/deploy-with-systemd.md."""

import shutil
import subprocess
import sys
from configparser import ConfigParser

import pytest

from tests.docs.snippets import DOCS, snippets
from tests.processes import ROOT


@pytest.fixture
def unit():
    page = snippets((DOCS / "howto/deploy-with-systemd.md").read_text())
    [found] = [one.text for one in page if one.language == "ini"]
    return found


def test_the_consumer_starts_with_each_boot_as_an_account_of_its_own(unit):
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(unit)

    assert parser["Install"]["WantedBy"] == "multi-user.target"
    assert parser["Service"]["User"] not in ("", "root")
    assert parser["Service"]["ExecStart"].endswith("manage.py run_huey")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd on this machine")
def test_systemd_finds_nothing_wrong_with_the_unit(unit, tmp_path):
    file = tmp_path / "housekeeping.service"
    file.write_text(
        unit.replace("/srv/site/.venv/bin/python", sys.executable).replace("/srv/site", str(ROOT))
    )

    verified = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)

    assert [line for line in verified.stderr.splitlines() if "housekeeping.service" in line] == []
