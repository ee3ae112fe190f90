"""The wheel in an empty environment: the README's section for a project of one's own, to the letter."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import services
from tests.processes import ROOT

SECTION = (ROOT / "README.md").read_text().partition("## In a project of your own\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"```(?:python)?\n(.*?)```", SECTION, re.DOTALL)
INSTALL, SETTINGS, URLS, TASKS, COMMANDS = BLOCKS
MODELS = """
from django.db import models
from django.utils import timezone


class Note(models.Model):
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now, db_index=True)


class Tag(models.Model):
    note = models.ForeignKey(Note, models.CASCADE)
    name = models.CharField(max_length=50)
"""
POSTGRES = """
import os
from urllib.parse import urlsplit
url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:],
    "USER": url.username, "HOST": url.hostname, "PORT": url.port, "PASSWORD": url.password or "",
}}
HUEY = {"huey_class": "housekeeping.queue.PostgresQueue", "dsn": os.environ["DATABASE_URL"]}
"""
NOTES = """
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from notes.models import Note, Tag
User.objects.create_superuser("ada", "ada@example.com", "correct horse 9")
for number in range(300):
    age = timedelta(days=100 if number < 20 else 1)
    note = Note.objects.create(text=f"Note {number}", written_at=timezone.now() - age)
    Tag.objects.create(note=note, name="a tag")
"""
COUNT = "from notes.models import *; print(Note.objects.count(), Tag.objects.count())"
PAGES = """
from django.contrib.auth.models import User
from django.test import Client
from housekeeping.models import Run
browser = Client(SERVER_NAME="localhost")
browser.force_login(User.objects.get())
run = Run.objects.filter(task="old_notes").first()
things = (f"runs/{run.pk}", "policies/old_notes", "schedules/old_notes")
for path in ("", "runs", "trends", "tables", "holds", "history", "settings", "consumers", *things):
    answer = browser.get(f"/housekeeping/{path}")
    assert answer.status_code == 200, (path, answer.status_code)
    assert "housekeeping/css/tokens.css" in answer.text
assert "Delete old notes" in browser.get("/housekeeping/").text
for path in ("status", "runs", f"runs/{run.pk}", "policies", "overview", "schedules"):
    answer = browser.get(f"/housekeeping/api/{path}")
    assert answer.status_code == 200, (path, answer.content)
assert browser.get("/housekeeping/api/runs").json()["results"][0]["url"].startswith("/housekeeping/api/")
sign_in = Client(SERVER_NAME="localhost").get("/housekeeping/", follow=True)
assert (sign_in.status_code, [code for _, code in sign_in.redirect_chain]) == (200, [302])
assert 'name="password"' in sign_in.text
assert Client(SERVER_NAME="localhost").get("/housekeeping/api/status").status_code in (401, 403)
print("seen")
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An empty virtual environment with the wheel in it. Its scripts' folder."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = [str(Path(sys.executable).parent / "uv"), "--quiet"]
    subprocess.run([*uv, "build", "--out-dir", folder / "dist", ROOT], check=True)
    [wheel] = (folder / "dist").glob("*.whl")
    subprocess.run([*uv, "venv", "--python", sys.executable, folder / "venv"], check=True)
    extras = re.search(r'"django-housekeeping\[(\w+)\]"', INSTALL)[1]
    wanted = f"django-housekeeping[{extras},postgres] @ {wheel.as_uri()}"
    subprocess.run([*uv, "pip", "install", "--python", folder / "venv/bin/python", wanted], check=True)
    return folder / "venv/bin"


@pytest.fixture(params=["sqlite", "postgres"])
def project(request, environment, tmp_path):
    """A project as django-admin makes one, changed as the README says. Runs its manage.py."""
    with ExitStack() as stack:
        variables = {"PATH": f"{environment}:{os.environ['PATH']}"}
        if request.param == "postgres":
            variables["DATABASE_URL"] = stack.enter_context(services.postgres())
        subprocess.run([environment / "django-admin", "startproject", "shop", tmp_path], check=True)
        subprocess.run([environment / "python", "manage.py", "startapp", "notes"], cwd=tmp_path, check=True)
        (tmp_path / "notes/models.py").write_text(MODELS)
        (tmp_path / "notes/tasks.py").write_text(TASKS)
        settings = SETTINGS + (POSTGRES if request.param == "postgres" else "")
        with (tmp_path / "shop/settings.py").open("a") as file:
            file.write(f'INSTALLED_APPS += ["notes"]\n{settings}')
        with (tmp_path / "shop/urls.py").open("a") as file:
            file.write(URLS)

        def manage(*words, code=0):
            done = subprocess.run(
                [environment / "python", "manage.py", *words],
                cwd=tmp_path,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert done.returncode == code, done.stdout
            return done.stdout

        manage.consumer = lambda: subprocess.Popen(
            [environment / "python", "manage.py", "run_huey"], cwd=tmp_path, env=variables
        )
        yield manage


def shell(project, code):
    return project("shell", "--verbosity", "0", "-c", code).strip().splitlines()[-1:]


def test_the_readme_s_steps_lead_to_a_purge_and_back(project):
    for command in re.findall(r"^python manage.py (.*?) *(?:#.*)?$", COMMANDS, re.MULTILINE)[:2]:
        project("makemigrations", "notes") if command == "migrate" else None
        assert "WARNINGS" not in project(*command.split())
    project("shell", "-c", NOTES)

    assert "--task" in project("run_housekeeping", code=2)
    dry = project("run_housekeeping", "--task", "old_notes", "--dry-run", "--json")
    assert '"deleted_notes": 20' in dry
    assert shell(project, COUNT) == ["300 300"]

    done = project("run_housekeeping", "--task", "old_notes", "--json")
    assert '"deleted_notes": 20' in done
    assert shell(project, COUNT) == ["280 280"]
    assert shell(project, PAGES) == ["seen"]

    run = re.search(r'"id": "([0-9a-f-]{36})"', done)[1]
    project("housekeeping_runs", "undo", run)
    consumer = project.consumer()
    try:
        deadline = time.monotonic() + 60
        while shell(project, COUNT) != ["300 300"]:
            assert time.monotonic() < deadline, "the consumer undoes nothing"
            time.sleep(0.5)
    finally:
        consumer.terminate()
        consumer.wait(40)


def test_the_wheel_holds_the_app_alone(environment):
    site_packages = next((environment.parent / "lib").glob("python*/site-packages"))

    assert (site_packages / "housekeeping/py.typed").is_file()
    assert not any((site_packages / name).exists() for name in ("chat", "site_config", "tests", "benchmarks"))
    assert shutil.which("django-admin", path=str(environment))
