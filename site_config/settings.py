"""One file for every place the site runs; what differs comes from the environment (env.py)."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from housekeeping.database import private
from site_config import env

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file(BASE_DIR / env.text("ENV_FILE", ".env"))

# --- The site -----------------------------------------------------------------------------

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.secret_key("SECRET_KEY", BASE_DIR / ".secret_key")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
SITE_URL = env.url("SITE_URL", env.served_at(sys.argv), ("http", "https")).geturl().rstrip("/")
os.environ["SITE_URL"] = SITE_URL  # for the consumer beside runserver, which mails the same links

ROOT_URLCONF = "site_config.urls"
WSGI_APPLICATION = "site_config.wsgi.application"
AUTH_USER_MODEL = "chat.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "housekeeping",  # before huey.contrib.djhuey, whose run_huey it extends
    "chat",  # before whitenoise, whose runserver it extends
    "axes",
    "csp",
    "whitenoise.runserver_nostatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "huey.contrib.djhuey",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
]

MIDDLEWARE = [
    "site_config.middleware.ClientAddress",
    "site_config.middleware.SecurityHeaders",  # outside all that answers: errors and redirects, too
    "csp.middleware.CSPMiddleware",
    "site_config.middleware.PlainApi",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "site_config.middleware.Language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "site_config.middleware.ApiAnswers",
    "site_config.errors.DatabaseOutage",
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

# Static files straight from the apps and static/: no collectstatic to forget after a
# deploy. They are few, and their short max-age makes a browser ask again (an ETag answers).
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False  # no other site has business with them

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]  # pages: as the browser asks for
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
USE_TZ = True

# --- Safe by default ----------------------------------------------------------------------

IS_HTTPS = SITE_URL.startswith("https://")
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$"]  # probes come from inside, over plain HTTP
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
# A browser takes a cookie of such a name only from this very host, over HTTPS, for the whole
# site: neither a sibling domain nor a page of plain HTTP can plant one.
COOKIE_PREFIX = "__Host-" if IS_HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
SESSION_COOKIE_AGE = 12 * 60 * 60  # seconds from the sign-in on, however busy the session is
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "site_config.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# Nothing inline, nothing evaluated, nothing from elsewhere, on any page.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
# Only where a proxy in front of the site sets the headers itself: else a client could.
BEHIND_PROXY = env.boolean("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Whether the owner's *other* subdomains speak HTTPS is not for this site to promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# The first one lets nobody in: it refuses who failed too often (chat/sign_ins.py).
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_HANDLER = "chat.sign_ins.Handler"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "chat.sign_ins.client_name"
AXES_CLIENT_IP_CALLABLE = "chat.sign_ins.client_address"
AXES_LOCKOUT_CALLABLE = "site_config.errors.too_many_sign_ins"
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # who failed, from where: kept as rows, not in the log
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "old_password", "new_password1", "new_password2"]
AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"

# --- Data ---------------------------------------------------------------------------------

# Is PgBouncer, in transaction mode, between the site and PostgreSQL? Of both URLs, where they name it.
BEHIND_PGBOUNCER = env.boolean("BEHIND_PGBOUNCER", False)
DATABASE: dict[str, Any] = env.database("DATABASE_URL", "sqlite:///db.sqlite3", root=BASE_DIR)
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    DATABASE["OPTIONS"] = {
        # A transaction that will write says so at its start and waits for its turn. The
        # default finds out halfway, and fails with "database is locked" without waiting.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # Readers don't wait for the writer; 7 times the write speed of the defaults.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # A file, not memory: the tests share it with real consumers.
    DATABASE["TEST"] = {"NAME": f"{DATABASE['NAME']}.test"}
else:
    DATABASE |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # A cursor of the server's lives on one connection; the pooler changes it with each transaction.
    DATABASE["DISABLE_SERVER_SIDE_CURSORS"] = BEHIND_PGBOUNCER
    # Nobody waits for ever: neither for a server that is gone (seconds; ms for the last),
    # nor for the locks of a process that was stopped within a transaction. PgBouncer takes no
    # startup options: there, its own idle_transaction_timeout does the last.
    at_start = {} if BEHIND_PGBOUNCER else {"options": "-c idle_in_transaction_session_timeout=30s"}
    DATABASE["OPTIONS"] = (
        {
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        }
        | at_start
        | DATABASE.get("OPTIONS", {})
    )
DATABASES = {"default": DATABASE}
# What throttles count in: one table for every process on every machine. Only they write to it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "site_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

# --- The queue (housekeeping/queue/) --------------------------------------------------------

HUEY_URL = env.url(
    "HUEY_URL", "sqlite:///huey.sqlite3", ("sqlite", "redis", "rediss", "postgres", "postgresql")
)
HUEY: dict[str, Any] = {
    "name": "housekeeping",
    "immediate": False,  # whatever DEBUG says: a task never runs inside a request
    "consumer": {
        "workers": env.integer("HUEY_WORKERS", 2, at_least=1),
        "worker_type": env.choice("HUEY_WORKER_TYPE", "thread", ("thread", "process")),
        "max_delay": 0.5,  # seconds an idle worker may take to notice a message
        "graceful_signal": "TERM",  # what docker stop and systemd send
        "shutdown_timeout": 25,  # seconds; docker's default kill comes later with stop_grace_period 30s
    },
}
if HUEY_URL.scheme == "sqlite":
    HUEY |= {
        "huey_class": "housekeeping.queue.SqliteQueue",
        "filename": str(env.file_of("HUEY_URL", HUEY_URL, BASE_DIR)),
    }
elif HUEY_URL.scheme.startswith("redis"):
    env.check_redis("HUEY_URL", HUEY_URL)
    HUEY |= {"huey_class": "housekeeping.queue.RedisQueue", "url": HUEY_URL.geturl()}
else:
    env.check_postgres("HUEY_URL", HUEY_URL)
    HUEY |= {"huey_class": "housekeeping.queue.PostgresQueue", "dsn": HUEY_URL.geturl()}
    if BEHIND_PGBOUNCER:
        # LISTEN and prepared statements would stay on a connection that others use next: the
        # workers look every max_delay seconds instead.
        HUEY |= {"blocking": False, "prepare_threshold": None}

# --- Housekeeping ---------------------------------------------------------------------------

HOUSEKEEPING_CONVERSATION_RETENTION_DAYS = env.days("HOUSEKEEPING_CONVERSATION_RETENTION_DAYS", 30)
HOUSEKEEPING_CONVERSATION_AGE_FROM = env.choice(
    "HOUSEKEEPING_CONVERSATION_AGE_FROM", "created_at", ("created_at", "last_message_at")
)
HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS = env.days("HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS", 7)
HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS = env.days("HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS", 0)
if 0 < HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS >= HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS:
    env.reject(
        "HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS",
        HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS,
        "is too long",
        "use fewer days than HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS"
        f" ({HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS}), or 0 for no warning",
    )
HOUSEKEEPING_TEST_SCHEDULE = env.boolean("HOUSEKEEPING_TEST_SCHEDULE", False)
HOUSEKEEPING_UNDO_DAYS = env.setting("HOUSEKEEPING_UNDO_DAYS")
HOUSEKEEPING_PACE = env.setting("HOUSEKEEPING_PACE")
HOUSEKEEPING_TIME_BUDGET_MINUTES = env.setting("HOUSEKEEPING_TIME_BUDGET_MINUTES")
HOUSEKEEPING_ARCHIVE_BUDGET_MB = env.setting("HOUSEKEEPING_ARCHIVE_BUDGET_MB")
HOUSEKEEPING_BRAKE_SHARE = env.setting("HOUSEKEEPING_BRAKE_SHARE")
HOUSEKEEPING_BRAKE_ROWS = env.setting("HOUSEKEEPING_BRAKE_ROWS")
HOUSEKEEPING_HEARTBEAT_SECONDS = env.setting("HOUSEKEEPING_HEARTBEAT_SECONDS")
# What Prometheus sends as bearer token; empty: /metrics answers everybody.
HOUSEKEEPING_METRICS_TOKEN = env.text("METRICS_TOKEN", "")
HOUSEKEEPING_SITE_URL = SITE_URL  # where the links in mails lead
# What sign-ins leave behind: sessions, tokens, the log of who tried to get in.
HOUSEKEEPING_RECIPES = ["simplejwt", "sessions", "axes"]
HOUSEKEEPING_AUTOSTART = env.boolean("HOUSEKEEPING_AUTOSTART", True)

# --- Chat and mail ----------------------------------------------------------------------------

# The dotted path of a function (conversation, message) -> text or None that answers messages.
CHAT_REPLY = env.text("CHAT_REPLY", "")
# The link of a warning is good until the account goes, with the night after the last day.
CHAT_VERIFICATION_MAX_AGE = timedelta(days=max(3, HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS + 1))

EMAIL_TIMEOUT = 10  # seconds for each word of the mail server's; a whole mail has a limit, too
vars().update(env.email("EMAIL_URL", "consolemail://", smtp="housekeeping.journal.smtp.EmailBackend"))
# What nobody waits for is kept as a row and sent by a consumer: verification mails, alerts.
EMAIL_OUTBOX = "housekeeping.journal.outbox.Backend"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("DEFAULT_FROM_EMAIL", "housekeeping@localhost")

# --- The JSON API -----------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["housekeeping.api.rules.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "site_config.description.SiteSchema",
    "DEFAULT_THROTTLE_RATES": {
        "token_by_address": "30/min",
        "token_by_account": "10/min",
        "refresh": "120/min",
        "register": "10/hour",
        "verify": "30/hour",
    },
    # Whose X-Forwarded-For is believed: nobody's, unless a proxy in front of the site sets it.
    "NUM_PROXIES": 1 if BEHIND_PROXY else 0,
    "EXCEPTION_HANDLER": "housekeeping.api.rules.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Housekeeping",
    "DESCRIPTION": "Steers and watches the housekeeping of the site's database; and the chat that fills it.",
    "VERSION": "1",
    "LICENSE": {"name": "MIT"},
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": ["housekeeping.api.description.schema.tidy"],
    "TAGS": [
        {"name": "tokens", "description": "Who is asking."},
        {"name": "chat", "description": "Accounts, conversations, messages: each account sees only its own."},
    ],
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "CHECK_REVOKE_TOKEN": True,  # a changed password ends the tokens made with the old one
    "TOKEN_OBTAIN_SERIALIZER": "chat.serializers.SignInSerializer",
    "TOKEN_REFRESH_SERIALIZER": "chat.serializers.RefreshSerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "chat.serializers.SignOutSerializer",
    "UPDATE_LAST_LOGIN": True,  # who signs in through the API alone has logged in, too
}

# --- Logging ------------------------------------------------------------------------------------

LOG_FILE = env.text("LOG_FILE", "")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        name: {"class": "site_config.logs.OneLine", "format": line, "style": "{"}
        for name, line in (
            ("line", "[{levelname}] {message}"),
            ("dated", "{asctime} [{levelname}] {name} {process} {message}"),
            ("served", "[{server_time}] {message}"),
        )
    },
    "filters": {"discreet": {"()": "housekeeping.database.discreet.Filter"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["discreet"]},
        "served": {"class": "logging.StreamHandler", "formatter": "served", "filters": ["discreet"]},
    },
    "loggers": {
        name: {"handlers": ["console"], "level": level, "propagate": False}
        for name, level in (
            ("housekeeping", "INFO"),
            ("chat", "INFO"),
            ("huey", "INFO"),
            ("django", "WARNING"),  # also with DEBUG off, when Django's own would be silent
            ("", "WARNING"),  # every other library
        )
    },
}
if LOG_FILE:
    LOGGING["handlers"]["file"] = {
        "class": "housekeeping.database.private.LogFile",  # logrotate may move it away
        "filename": env.in_folder("LOG_FILE", BASE_DIR / LOG_FILE),
        "formatter": "dated",
        "filters": ["discreet"],
    }
    for logger in LOGGING["loggers"].values():
        logger["handlers"].append("file")
# What runserver answers goes to the console alone, as Django has it.
LOGGING["loggers"]["django.server"] = {"handlers": ["served"], "level": "INFO", "propagate": False}

# Last, as a value that can't be used must leave nothing behind.
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    private.make_sqlite(DATABASE["NAME"])  # it holds password hashes and session keys
