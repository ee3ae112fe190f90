"""The description of the API, as two linters for OpenAPI read it."""

import json
import shutil
import subprocess

import pytest

from tests.processes import ROOT
from tests.prove import npm
from tests.services import need

DESCRIPTION = ROOT / "docs/reference/openapi.yaml"


def redocly(description, folder):
    program = npm.package("@redocly/cli") / "bin/cli.js"
    lint = ["lint", "--extends=recommended", "--format=json", description]
    return [one["message"] for one in said(program, *lint, folder=folder)["problems"]]


def spectral(description, folder):
    (folder / "rules.yaml").write_text("extends: [spectral:oas]\n")
    program = npm.package("@stoplight/spectral-cli") / "dist/index.js"
    lint = ["lint", "--ruleset", "rules.yaml", "--format=json", "--quiet", description]
    return [one["message"] for one in said(program, *lint, folder=folder)]


def said(program, *words, folder):
    node = need("Node.js", shutil.which("node"))
    done = subprocess.run([node, program, *words], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip(), done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("linter", [redocly, spectral])
def test_a_linter_finds_nothing(linter, tmp_path):
    assert linter(DESCRIPTION, tmp_path) == []


@pytest.mark.parametrize("linter", [redocly, spectral])
def test_a_fault_would_be_found(linter, tmp_path):
    broken = tmp_path / "openapi.yaml"
    broken.write_text(DESCRIPTION.read_text().replace("operationId: list_holds", "operationId: list_runs"))

    assert any("operation" in one.lower() for one in linter(broken, tmp_path))
