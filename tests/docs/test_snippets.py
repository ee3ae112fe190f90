"""Every snippet of the docs is carried out (tests/prove/test_docs.py), or compared with the code."""

import json
import re

import pytest
import yaml

from housekeeping.monitoring.metrics import registry
from tests import examples
from tests.docs.snippets import DOCS, pages, snippets
from tests.processes import ROOT

RUN = {"html", "python", "sh"}
# Compared with what a command prints, with the API's description, or not at all: files of other programs.
NOT_RUN = {"text", "json", "console", "cron", "ini", "sql", "yaml"}


def test_every_snippet_is_of_a_kind_that_is_tested():
    """What is run stands on a page that a test follows."""
    found = {(one.language, page.relative_to(DOCS).parts[0]) for page in pages() for one in of(page)}
    ours = {(language, folder) for language, folder in found if not language.startswith("{")}

    assert {language for language, _ in ours} <= RUN | NOT_RUN
    assert {folder for language, folder in ours if language in RUN} == {"tutorial", "howto"}


def of(page):
    return snippets(page.read_text())


def test_python_names_its_file_or_is_a_task_or_a_program_for_the_api():
    loose = {
        page.name
        for page in pages()
        for one in of(page)
        if one.language == "python" and not one.file and one.text not in examples.declaring_a_task()
    }

    assert loose == {"use-the-api.md"}


@pytest.mark.parametrize("file", ["prometheus/housekeeping.rules.yml", "grafana/housekeeping.json"])
def test_every_metric_that_deploy_watches_is_there(db, file):
    families = {f"{one.name}_total" if one.type == "counter" else one.name for one in registry().collect()}
    watched = re.findall(r"expr\"?: (?:>-\n(?: {10}.*\n)+|.*)", (ROOT / "deploy" / file).read_text())

    names = {name for expression in watched for name in re.findall(r"housekeeping_\w+", expression)}
    assert len(names) >= 10
    assert names <= families


def test_every_file_that_the_readme_links_to_is_there():
    linked = re.findall(r"\]\(((?!http)[^)#]+)", (ROOT / "README.md").read_text())

    assert len(linked) > 20
    assert [target for target in linked if not (ROOT / target).is_file()] == []


def test_the_json_of_the_docs_has_the_keys_of_the_api():
    described = yaml.safe_load((DOCS / "reference/openapi.yaml").read_text())["components"]["schemas"]
    shown = [json.loads(one.text) for page in pages() for one in of(page) if one.language == "json"]
    objects = {frozenset(one["properties"]): name for name, one in described.items() if "properties" in one}

    named = [objects.get(frozenset(one)) for one in shown]
    assert named == ["Run", "Verdict", "Hold", "Erasure", "Setting", "Channel", "Incident", "Alert"]
