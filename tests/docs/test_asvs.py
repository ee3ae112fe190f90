"""The security page goes through all requirements of the levels 1 and 2, and names the level of each."""

import re

import pytest

from tests.docs.asvs import LEVELS
from tests.docs.snippets import DOCS

LEVEL = {number: level for level, numbers in LEVELS.items() for number in numbers.split()}
PAGE = (DOCS / "explanation/security.md").read_text().partition("## OWASP ASVS")[2]
LINES = re.findall(r"^\| (\d+\.\d+[^|]*) \| ([^|]*) \| ([^|]*) \|([^|]*)\|$", PAGE, re.MULTILINE)
# What has no line, by the beginning and the end of its text: it does not apply, or does not hold.
TEXTS = [("### V5", "| |"), ("### What does not apply", "\n## "), ("## Known limits", "\0")]
# What isn't there, or what a library or a page is: there is nothing to run.
WITHOUT_A_TEST = ["1.2.5 to 1.2.8", "1.3.1, 1.3.4, 1.3.5", "6.4.2", "7.1.1, 7.1.2"]
WITHOUT_A_TEST += ["9.2.3, 9.2.4, in part", "11.2.1, 11.6.1", "15.2.3", "15.3.6"]


def named(text):
    """The requirements in a text: 1.2.3, 1.2.5 to 1.2.8, the whole of 1.4 or V10."""
    for section, first, last in re.findall(r"\b(\d+\.\d+)\.(\d+)\b(?: to \d+\.\d+\.(\d+))?", text):
        yield from (f"{section}.{number}" for number in range(int(first), int(last or first) + 1))
    for section, chapter in re.findall(r"(?<![\d.])(\d+\.\d+)(?![\d.]*\d)|\bV(\d+) \(no", text):
        yield from (number for number in LEVEL if number.startswith(f"{section or chapter}."))


def test_each_requirement_of_the_levels_1_and_2_is_on_the_page():
    found = {number for line in LINES for number in named(line[0])}
    for begins, ends in TEXTS:
        found.update(named(PAGE.partition(begins)[2].partition(ends)[0]))

    assert {number for number, level in LEVEL.items() if level < 3} - found == set()
    assert found - LEVEL.keys() == set()


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_a_line_has_its_level_what_is_missing_and_what_shows_the_rest(line):
    numbers, levels, measure, shown = line

    assert levels == ", ".join(map(str, sorted({LEVEL[number] for number in named(numbers)})))
    assert ("in part" in numbers) == ("Missing: " in measure)
    assert shown.strip() or numbers in WITHOUT_A_TEST
