"""Files of deleted rows, and exports, in S3, by django-storages, which the site itself does not need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

# hypothesis is of the zoo, whose photos have the files.
PACKAGES = ["django-storages[s3]==1.14.6", "moto[s3,server]==5.2.5", "hypothesis", "pyarrow"]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment with the site's requirements and these packages."""
    folder = tmp_path_factory.mktemp("s3") / "environment"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    subprocess.run([*install, "--requirement", ROOT / "requirements.txt"], check=True)
    subprocess.run([*install, *PACKAGES], check=True)
    return folder / "bin" / "python"


def run(python, folder, script, *words):
    """What a script prints at last, in a site whose files are in S3."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.prove.on_s3",
        "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
        "S3_URL": "http://127.0.0.1:1",
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONPATH": str(ROOT),
    }
    for command in (["manage.py", "migrate", "--run-syncdb", "--verbosity", "0"], ["-m", script, *words]):
        done = subprocess.run([python, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("form", "suffix"), [("jsonl", "jsonl.gz"), ("parquet", "parquet")])
def test_exports_in_s3_are_verified_listed_and_imported(python, tmp_path, form, suffix):
    facts = run(python, tmp_path, "tests.prove.exports_on_s3", form)

    files = ["manifest.json", f"zoo.Park.{suffix}", f"zoo.Photo.{suffix}"]
    assert facts["exported"] == ["succeeded", [], 0]
    assert facts["files"] == facts["listed"] == files
    names = ["Park 0", "Park 1", "Park 2"]
    assert facts["imported"] == [["3 rows of zoo.Park", "3 rows of zoo.Photo"], names, 3]
    status, error, *there = facts["storage down"]
    assert (status, there) == ("failed", [names, 3])
    assert "The storage 'default' could not be written to (EndpointConnectionError" in error


def test_files_in_s3_go_after_the_undo_window_and_stay_while_it_is_open(python, tmp_path):
    facts = run(python, tmp_path, "tests.prove.files_on_s3")

    assert facts["windows open"] == {
        "deleted_files": 0, "files_still_named": 0, "failed_files": 0, "failures": []
    }  # fmt: skip
    assert facts["windows closed"] == {
        "deleted_files": 1, "files_still_named": 1, "failed_files": 0, "failures": []
    }  # fmt: skip
    assert facts["there"] == ["photos/back.jpg", "photos/down.jpg"]
    assert facts["storage down"]["failed_files"] == 1
    assert "EndpointConnectionError" in facts["storage down"]["failures"][0]
    assert facts["notes"] == [["photos/down.jpg", 1]]
