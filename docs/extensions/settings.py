"""The Django project that the reference is read from: the app with everything switched on, and no rows."""

import tempfile

from housekeeping.recipes import RECIPES

FOLDER = tempfile.TemporaryDirectory()  # gone when the build ends

SECRET_KEY = "a key for the docs alone"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "extensions.urls"
INSTALLED_APPS = [
    "housekeeping",
    "huey.contrib.djhuey",
    "django_htmx",
    "rest_framework",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    *RECIPES.values(),
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
HUEY = {"huey_class": "housekeeping.queue.SqliteQueue", "filename": f"{FOLDER.name}/huey.sqlite3"}
HOUSEKEEPING_RECIPES = list(RECIPES)
