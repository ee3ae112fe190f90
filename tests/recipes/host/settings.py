"""A small project with the recipes that the environment names, and the apps that they need."""

import os
from pathlib import Path

from housekeeping.recipes import RECIPES

FOLDER = Path(os.environ["HOST_FOLDER"])
HOUSEKEEPING_RECIPES = os.environ["HOST_RECIPES"].split(",")
MODELS_FOR = {"auditlog": "tests.recipes.host.audited", "simple_history": "tests.recipes.host.tracked"}

SECRET_KEY = "a key for these tests alone, as long as Django wants one to be"
ALLOWED_HOSTS = ["testserver"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "tests.recipes.host.urls"
STATIC_URL = "/static/"
LOGIN_URL = "admin:login"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
INSTALLED_APPS = list(
    dict.fromkeys(
        [
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.admin",
            *(RECIPES[name] for name in HOUSEKEEPING_RECIPES),
            *(MODELS_FOR[name] for name in HOUSEKEEPING_RECIPES if name in MODELS_FOR),
            "housekeeping",
            "huey.contrib.djhuey",
            "django_htmx",
        ]
    )
)
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
if server := os.environ["HOST_POSTGRES"]:
    host, port = server.split(":")
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": host,
            "PORT": port,
            "USER": "postgres",
            "NAME": "postgres",
            "TEST": {"NAME": f"recipe_{os.getpid()}"},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / "db.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
            },
            "TEST": {"NAME": FOLDER / "test.sqlite3"},
        }
    }
HUEY = {
    "huey_class": "housekeeping.queue.huey.SqliteQueue",
    "filename": str(FOLDER / "huey.sqlite3"),
    "immediate": False,
}

if "axes" in HOUSEKEEPING_RECIPES:
    MIDDLEWARE.append("axes.middleware.AxesMiddleware")
    AUTHENTICATION_BACKENDS.insert(0, "axes.backends.AxesStandaloneBackend")
if "silk" in HOUSEKEEPING_RECIPES:
    MIDDLEWARE.insert(0, "silk.middleware.SilkyMiddleware")
