"""The directives that write the reference from the code. ``make docs`` builds the whole."""

import re
from pathlib import Path

import pytest
from extensions import code, commands, links

from housekeeping import checks, conf
from tests.docs.snippets import DOCS, snippets


def test_the_docs_describe_every_variable():
    page = snippets((DOCS / "reference/environment.md").read_text())
    [described] = [one.text.splitlines() for one in page if one.language == "{generated-environment}"]

    rows = code.environment("", described)

    assert [row for row in rows if "`SECRET_KEY`" in row]
    assert "| `HUEY_WORKERS` | `2` | as `run_huey --workers` |" in rows


@pytest.mark.parametrize("described", [["SECRET_KEY: Django's"], ["A_TYPO: nothing reads it"]])
def test_a_variable_without_a_meaning_and_a_meaning_without_a_variable_end_the_build(described):
    with pytest.raises(ValueError, match="ALLOWED_HOSTS"):
        code.environment("", described)


def test_every_setting_has_a_meaning():
    rows = code.settings("", [])[2:-1]

    assert len(rows) == len(conf.SETTINGS)
    assert all(len(cell.strip()) > 3 for row in rows for cell in (row.split(" | ")[0], row.split(" | ")[2]))


def test_every_check_is_listed_with_its_message():
    source = "".join(file.read_text() for file in Path(checks.__file__).parent.glob("*.py"))
    rows = "\n".join(code.checks("", []))

    assert re.findall(r"^\| `(\S+)` \|", rows, re.MULTILINE) == sorted(
        set(re.findall(r'id="(housekeeping\.[EW]\d{3})"', source))
    )
    assert "| `housekeeping.E001` | The task … has an unknown parameter, …. |" in rows


def test_a_command_is_described_with_its_actions_and_their_options():
    lines = commands.command("housekeeping_holds", [])

    assert "**`add MODEL KEY`**: Hold a row, so that no policy deletes it." in lines
    assert "| `--for-good` | Without an end. |" in lines
    assert not [line for line in lines if "--verbosity" in line]


def test_a_link_without_a_file_or_a_place_is_reported(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="b.html#there"></a><a href="#here"></a>')
    (tmp_path / "b.html").write_text('<img src="gone.png"><a href="https://example.com/x"></a>')

    assert list(links.broken(tmp_path)) == [
        "a.html: b.html#there has no such place",
        "b.html: nothing is at gone.png",
    ]
