"""The systemd units of deploy/, which docs/howto/deploy-with-systemd.md shows."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.docs.snippets import DOCS, snippets
from tests.processes import ROOT
from tests.services import need

UNITS = {path.stem: path for path in sorted((ROOT / "deploy/systemd").glob("*.service"))}
EXPOSURE = 15  # tenths: systemd's number for the units, rounded up; 100 is worst
# What the two services do differently; the rest is their sandbox.
OWN = {"ExecStart", "Type"}


def read(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(path.read_text())
    return parser


def test_there_is_a_unit_for_the_consumer_and_one_for_the_site():
    starts = {name: read(path)["Service"]["ExecStart"] for name, path in UNITS.items()}

    assert starts["housekeeping"].endswith("manage.py run_huey")
    assert "gunicorn site_config.wsgi " in starts["housekeeping-site"]
    assert len(starts) == 2


@pytest.mark.parametrize("name", UNITS)
def test_a_service_starts_with_each_boot_as_an_account_of_its_own(name):
    unit = read(UNITS[name])

    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert unit["Service"]["User"] not in ("", "root")
    assert (unit["Service"]["Restart"], unit["Service"]["KillMode"]) == ("always", "mixed")


def test_both_have_the_same_sandbox():
    consumer, site = (
        {key: value for key, value in read(path)["Service"].items() if key not in OWN}
        for path in UNITS.values()
    )

    assert consumer == site


@pytest.fixture
def analyze():
    """Calls systemd-analyze, a program of Debian's systemd."""
    program = need("systemd", shutil.which("systemd-analyze"))
    return lambda *words: subprocess.run(
        [program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_wrong_with_a_unit(name, analyze, tmp_path):
    file = tmp_path / f"{name}.service"
    here = UNITS[name].read_text().replace("/srv/site/.venv/bin", str(Path(sys.executable).parent))
    file.write_text(here.replace("/srv/site", str(ROOT)))

    verified = analyze("verify", file)

    assert [line for line in verified.stdout.splitlines() if file.name in line] == []


@pytest.mark.parametrize("name", UNITS)
def test_a_service_is_shut_in(name, analyze):
    rated = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", UNITS[name])

    assert rated.returncode == 0, rated.stdout


def test_a_service_without_its_sandbox_is_not(analyze, tmp_path):
    """So the test above can fail."""
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nUser=site\nExecStart=/bin/true\n")

    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", bare).returncode != 0


def test_the_page_shows_them():
    shown = [one.text for one in snippets((DOCS / "howto/deploy-with-systemd.md").read_text())]

    assert UNITS["housekeeping"].read_text() in shown
