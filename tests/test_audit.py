import json

from tests.audit import verdict

CLEAN = {"name": "django", "version": "5.2.19", "vulns": []}
HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["5.2.20"], "aliases": [], "description": ""}
SKIPPED = {"name": "huey", "skip_reason": "Dependency not found on PyPI and could not be audited: huey"}


def report(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_known_hole_fails_and_says_what_mends_it():
    line, code = verdict(report(SKIPPED, CLEAN | {"vulns": [HOLE]}), "Found 1 known vulnerability")

    assert code == 1
    assert "django 5.2.19: PYSEC-2026-1, fixed in 5.2.20" in line


def test_none_passes_and_says_how_many_were_looked_at():
    assert verdict(report(CLEAN, SKIPPED), "") == (
        "audit: no known vulnerability in 1 packages, 1 without advisories",
        0,
    )


def test_an_index_without_advisories_is_not_taken_for_a_clean_bill():
    line, code = verdict(report(SKIPPED), "No known vulnerabilities found, 1 skipped")

    assert code == 0
    assert "NOT DONE" in line


def test_a_service_out_of_reach_is_said_on_one_line():
    line, code = verdict("", "Traceback …\n\nConnectionError: Name or service not known\n")

    assert (code, len(line.splitlines())) == (0, 1)
    assert "NOT DONE" in line
    assert "Name or service not known" in line
