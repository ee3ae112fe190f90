"""A project that has housekeeping installed as the contract shows it, and all else of its own.

The tests name the folder for its files (CLUB_FOLDER), its database (CLUB_DATABASE) and DEBUG.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.modules["celery"] = None  # as where it is not installed, though letters/tasks.py imports it

BASE_DIR = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ["CLUB_FOLDER"])

SECRET_KEY = "the club's key, for its tests alone, as long as Django wants one to be"
DEBUG = os.environ.get("CLUB_DEBUG", "true") == "true"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "club.urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
ADMINS = [("The secretary", "secretary@club.example")]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = FOLDER / "mail"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "members",
    "notes",
    "letters",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_USER_MODEL = "members.Member"
AUTHENTICATION_BACKENDS = ["members.backends.Doorman"]
LOGIN_URL = "enter"
LOGIN_REDIRECT_URL = "dashboard"


def database(url: str) -> dict:
    """Django's own options, whichever it is."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.strip("/"),
        "USER": parts.username,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


DATABASES = {"default": {**database(os.environ["CLUB_DATABASE"]), "ATOMIC_REQUESTS": True}}

STATIC_URL = "assets/"
STATIC_ROOT = FOLDER / "assets"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["notes.rest.Shout"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
    "EXCEPTION_HANDLER": "notes.rest.shrug",
}

# --- As the contract shows it -----------------------------------------------------------------

INSTALLED_APPS += ["housekeeping", "huey.contrib.djhuey", "django_htmx"]
MIDDLEWARE += ["django_htmx.middleware.HtmxMiddleware"]
HUEY = {"huey_class": "housekeeping.queue.SqliteQueue", "filename": FOLDER / "huey.sqlite3"}
