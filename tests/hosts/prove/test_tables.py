"""A new project on its first day: its consumer measures, and each drafted policy works as it was pasted."""

import json
import subprocess
import sys

import psycopg
import pytest

from tests.processes import ROOT, Installed, Processes
from tests.services import wait_until

SETTINGS = """
import os
INSTALLED_APPS += ["housekeeping", "huey.contrib.djhuey", "django_htmx", "notes"]
MIDDLEWARE += ["django_htmx.middleware.HtmxMiddleware"]
HUEY = {"huey_class": "housekeeping.queue.SqliteQueue", "filename": os.fspath(BASE_DIR / "huey.sqlite3")}
LOGIN_URL = "admin:login"
TIME_ZONE = "Asia/Tokyo"
if name := os.environ.get("SHOP_DATABASE"):
    DATABASES["default"] = {"ENGINE": "django.db.backends.postgresql", **dict(
        one.split("=") for one in name.split())}
"""
URLS = """
from django.urls import include
urlpatterns += [path("housekeeping/", include("housekeeping.urls"))]
"""
# A model with the name of an import of the block, an age that is a date, a manager that hides rows and has
# another name, a proxy, a child of another model, an unmanaged model, and the table of a many-to-many field.
MODELS = """
from django.db import models


class Kept(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(is_gone=False)


class Note(models.Model):
    written_at = models.DateTimeField(db_index=True)
    is_gone = models.BooleanField(default=False)
    kept = Kept()


class Tag(models.Model):
    note = models.ForeignKey(Note, models.CASCADE)


class Policy(models.Model):
    day = models.DateField()
    notes = models.ManyToManyField(Note)


class OldNote(Note):
    class Meta:
        proxy = True


class Paper(models.Model):
    title = models.CharField(max_length=100)


class Draft(Paper):
    drafted_at = models.DateTimeField()


class Elsewhere(models.Model):
    seen_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "notes_elsewhere"
"""
FILL = """
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from notes.models import Note, Policy, Tag

now = timezone.now()
for age in range(200):
    note = Note(written_at=now - timedelta(days=age, minutes=1), is_gone=age % 10 == 0)
    note.save()
    Tag.objects.create(note=note)
    Policy.objects.create(day=timezone.localdate(now) - timedelta(days=age))
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE notes_elsewhere (id int, seen_at timestamp)")
"""


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, tmp_path):
    """A project as ``django-admin startproject`` makes it, with an app, on this database."""
    for words in (["startproject", "shop", "."], ["startapp", "notes"]):
        subprocess.run([sys.executable, "-m", "django", *words], cwd=tmp_path, check=True)
    for file, text in (("shop/settings.py", SETTINGS), ("shop/urls.py", URLS)):
        with (tmp_path / file).open("a") as stream:
            stream.write(text)
    (tmp_path / "notes/models.py").write_text(MODELS)
    environment = {"DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(ROOT), "SHOP_DATABASE": ""}
    if request.param == "postgres":
        facts = psycopg.conninfo.conninfo_to_dict(request.getfixturevalue("postgres_url"))
        with psycopg.connect(**facts, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
            connection.execute("CREATE DATABASE shop")
        named = {"NAME": "shop", "USER": facts["user"], "HOST": facts["host"], "PORT": facts["port"]}
        environment["SHOP_DATABASE"] = " ".join(f"{name}={value}" for name, value in named.items() if value)
    processes = Processes(tmp_path, Installed(tmp_path), **environment)
    processes.command("makemigrations", "notes")
    processes.command("migrate")
    processes.shell(FILL)
    yield processes
    processes.end()


def tables(shop, *words):
    return json.loads(shop.command("housekeeping_tables", *words, "--json"))


def test_what_grows_on_the_first_day_and_a_policy_for_each_table(shop):
    consumer = shop.consumer()

    wait_until(lambda: tables(shop)["measured_at"], what="the measurement")
    consumer.kill()
    found = {one["table"]: one for one in tables(shop)["results"]}
    assert (found["notes_note"]["rows"], found["notes_note"]["policies"]) == (200, [])
    assert found["notes_note"]["bytes"] > 0
    assert found["notes_elsewhere"]["managed"] is False
    assert {found[f"notes_{name}"]["model"] for name in ("draft", "policy_notes")} == {
        "notes.Draft", "notes.Policy_notes",
    }  # fmt: skip

    drafts = {name: tables(shop, f"notes_{name}", "--days", "90")["draft"] for name in ("note", "policy")}
    blocks = (shop.folder / "notes/tasks.py").open("a")
    for name in drafts:
        printed = shop.command("housekeeping_tables", f"notes_{name}", "--policy", "--days", "90")
        blocks.write(
            printed.partition("\n#")[0] + "\n\n"
        )  # without its notes, which a shell does not redirect
    blocks.close()

    assert shop.command("check") == "System check identified no issues (0 silenced).\n"
    for draft in drafts.values():
        told = shop.command("run_housekeeping", "--task", draft["name"], "--dry-run", "--json")
        plan = json.loads(told[told.index("{\n") :])["run"]["plan"][draft["name"]]
        assert plan["tables"] == draft["tables"]
        assert plan["rows"] == draft["rows"] > 90
    covered = {one["table"]: one["policies"] for one in tables(shop)["results"]}
    assert covered["notes_tag"] == [{"policy": "old_notes", "direct": False}]


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_what_can_not_be_purged_says_why(shop):
    shop.command("housekeeping_tables", "--measure")

    why = {
        name: tables(shop, f"notes_{name}")["draft"]["obstacles"]
        for name in ("tag", "draft", "elsewhere", "policy_notes")
    }

    assert why["tag"] == ["notes.Tag has no column that is a date."]
    assert why["draft"] == []
    assert "not managed by Django" in why["elsewhere"][0]
    assert why["policy_notes"] == ["notes.Policy_notes has no column that is a date."]
    assert "not managed by Django" in shop.command(
        "housekeeping_tables", "notes_elsewhere", "--policy", exit=1
    )
