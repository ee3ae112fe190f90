"""The app without the packages of its extras: nothing of them is imported."""

import subprocess
import sys

EXTRAS = ("psycopg", "redis", "rest_framework", "drf_spectacular", "prometheus_client")
CODE = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
find_spec = importlib.util.find_spec
def find_no_extra(name, *more):
    return None if name.partition(".")[0] in {EXTRAS} else find_spec(name, *more)
importlib.util.find_spec = find_no_extra

from django.conf import settings
settings.configure(
    SECRET_KEY="a key for this test alone, as long as Django wants one to be",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.messages",
                    "django.contrib.sessions", "housekeeping", "huey.contrib.djhuey", "django_htmx"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    HUEY={{"huey_class": "housekeeping.queue.SqliteQueue", "filename": "huey.sqlite3", "immediate": False}},
    ROOT_URLCONF="urls",
    USE_TZ=True,
)
import types
urls = types.ModuleType("urls")
sys.modules["urls"] = urls
import django
django.setup()
from django.urls import include, path, reverse
machines = path("", include("housekeeping.monitoring.urls"))
urls.urlpatterns = [path("ops/", include("housekeeping.urls")), machines]
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("run_housekeeping", task="history", verbosity=0)
from housekeeping.management.commands import run_huey, housekeeping_runs, scheduler_info
from housekeeping import reading
from housekeeping.reading import as_json
from django.test import Client
assert Client().get("/readyz").status_code == 200, Client().get("/readyz").content
assert reverse("housekeeping:overview") == "/ops/"
print(sorted(name for name in {EXTRAS} if name in sys.modules))
"""


def python(code, folder):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": sys.path[0]},
        capture_output=True,
        text=True,
    )


def test_nothing_of_an_extra_is_imported_where_it_is_not_installed(tmp_path):
    done = python(CODE, tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_api_that_is_included_without_its_packages_says_how_to_get_them(tmp_path):
    done = python(CODE.partition("machines =")[0] + "include('housekeeping.api.urls')", tmp_path)

    assert done.stderr.splitlines()[-1].endswith(
        "The API of housekeeping needs rest_framework and drf_spectacular:"
        " pip install 'django-housekeeping[api]'."
    )
