"""The list of what the site is made of, and its licences."""

import json
import re

import pytest

from tests import parts
from tests.parts import LICENCES, ROOT, VENDORED

# None of them asks to publish the site's own code.
USABLE = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "LGPL-3.0-only",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
}


def test_the_table_of_licences_is_up_to_date():
    assert LICENCES.read_text() == parts.table(), "make licences"


def test_each_licence_is_one_that_the_site_may_use():
    named = {word for part in parts.parts() for word in re.split(r" (?:AND|OR) ", part.licence)}

    assert named <= USABLE


@pytest.mark.parametrize("folder", VENDORED)
def test_each_file_of_others_is_in_the_table(folder):
    files = {one.name for one in (ROOT / folder).iterdir() if one.suffix not in (".md", ".LICENSE")}

    assert files
    assert [name for name in files if f"`{folder}/{name}`" not in parts.table()] == []


def test_the_list_of_parts_has_each_package_and_what_needs_it():
    made = json.loads(parts.sbom())

    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    listed = {one["name"]: one for one in made["components"]}
    assert len(pinned) > 30
    assert {name: listed[name]["version"] for name in pinned} == pinned
    assert listed["huey"]["purl"] == f"pkg:pypi/huey@{pinned['huey']}"
    assert listed["axe-core"]["scope"] == "excluded"
    needs = {one["ref"]: set(one.get("dependsOn", [])) for one in made["dependencies"]}
    assert needs["pypi:rich"] == {"pypi:markdown-it-py", "pypi:pygments"}
    assert needs["pypi:django"] >= {"pypi:asgiref", "pypi:sqlparse"}
    direct = needs[made["metadata"]["component"]["bom-ref"]]
    assert direct >= {"pypi:django", "pypi:huey", "npm:uplot"}
    assert "pypi:asgiref" not in direct


def test_a_package_without_a_licence_is_refused(monkeypatch):
    monkeypatch.delitem(parts.READ_BY_HAND, "huey")

    with pytest.raises(SystemExit, match="huey names no licence"):
        parts.table()


def test_ci_makes_the_list():
    assert "\nmake sbom\n" in (ROOT / ".ci/run").read_text()
