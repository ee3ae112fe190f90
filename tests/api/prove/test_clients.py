"""Clients that are generated from docs/reference/openapi.yaml, in Python and in TypeScript.

Each is imported and type-checked, and then takes a real site through a token, a trigger, polls, an undo and a
hold.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import make
from tests.processes import ROOT, Processes
from tests.prove import npm
from tests.services import need

DESCRIPTION = ROOT / "docs/reference/openapi.yaml"
DRIVERS = Path(__file__).parent / "clients"
PYTHON = ["openapi-python-client==0.29.1", "mypy==2.4.1"]
PASSWORD = "correct horse battery"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]


def run(*words, folder, **environment):
    done = subprocess.run(
        [*map(str, words)], cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def site(transactional_db, tmp_path):
    """What a driver needs to know: the address, an account, and the key of a row to hold."""
    make.administrator(username="ada", password=PASSWORD)
    make.conversation(age=make.days(40), messages=2)
    kept = make.conversation()
    processes = Processes(tmp_path, HOUSEKEEPING_AUTOSTART="false")
    try:
        processes.consumer()
        _, address = processes.site()
        yield address, "ada", PASSWORD, kept.pk
    finally:
        processes.end()


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment that has the generator, and the folder with the client that it made."""
    folder = tmp_path_factory.mktemp("python")
    run(sys.executable, "-m", "venv", folder / "venv", folder=folder)
    programs = folder / "venv/bin"
    run(programs / "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON, folder=folder)
    # The generator calls ruff by its name.
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    run(programs / "openapi-python-client", "generate", "--path", DESCRIPTION, "--output-path", "made",
        "--fail-on-warning", folder=folder, PATH=path)  # fmt: skip
    shutil.copy(DRIVERS / "drive.py", folder / "made")
    return programs / "python", folder / "made"


def test_every_module_of_the_python_client_can_be_imported(python):
    program, made = python
    code = """
import importlib, pkgutil, housekeeping_client as client
names = [one.name for one in pkgutil.walk_packages(client.__path__, "housekeeping_client.")]
print(len([importlib.import_module(name) for name in names]))
"""

    assert int(run(program, "-c", code, folder=made)) > 200


def test_the_python_client_and_what_uses_it_have_no_wrong_type(python):
    program, made = python

    run(program, "-m", "mypy", "--strict", "housekeeping_client", "drive.py", folder=made)


def test_the_python_client_takes_a_site_through_everything(python, site):
    program, made = python

    run(program, "drive.py", *site, folder=made)


@pytest.fixture(scope="module")
def typescript(tmp_path_factory):
    """The folder with the types, and with the program that uses them, compiled under strict rules."""
    node = need("Node.js", shutil.which("node"))
    made = tmp_path_factory.mktemp("typescript")
    packages = npm.package("typescript").parent
    (made / "node_modules").symlink_to(packages)
    shutil.copy(DRIVERS / "drive.ts", made)
    options = {"strict": True, "noUncheckedIndexedAccess": True, "exactOptionalPropertyTypes": True,
               "target": "es2022", "module": "nodenext", "lib": ["es2022", "dom"]}  # fmt: skip
    (made / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["drive.ts"]}))
    (made / "package.json").write_text('{"type": "module"}')
    run(node, packages / "openapi-typescript/bin/cli.js", DESCRIPTION, "--output", "api.d.ts", folder=made)
    run(node, packages / "typescript/bin/tsc", "--project", made, folder=made)
    return node, made


def test_the_typescript_client_takes_a_site_through_everything(typescript, site):
    node, made = typescript

    run(node, "drive.js", *site, folder=made)
