"""The settings, the same wherever the site runs. What differs comes from the environment (env.py)."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from housekeeping.database import private
from site_config import database, env, logs, telemetry

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file(BASE_DIR / env.text("ENV_FILE", ".env"))

# --- The site -----------------------------------------------------------------------------

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.secret_key("SECRET_KEY", BASE_DIR / ".secret_key")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
# Runserver's consumer gets the same address, since its mails need the same links.
SERVED_AT = os.environ.get("SERVED_AT") or env.served_at(sys.argv)
SITE_URL = env.site("SITE_URL", SERVED_AT)
os.environ["SERVED_AT"] = SITE_URL

ROOT_URLCONF = "site_config.urls"
WSGI_APPLICATION = "site_config.wsgi.application"
AUTH_USER_MODEL = "chat.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "housekeeping",  # before huey.contrib.djhuey, whose run_huey it extends
    "chat",  # before whitenoise, whose runserver it extends
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "csp",
    "whitenoise.runserver_nostatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_guid",
    "django_htmx",
    "huey.contrib.djhuey",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
]

MIDDLEWARE = [
    "django_guid.middleware.guid_middleware",  # outermost, so that every line of a request has its id
    "site_config.middleware.ClientAddress",
    "site_config.middleware.SecurityHeaders",  # outermost, so that errors and redirects get them, too
    "csp.middleware.CSPMiddleware",
    "site_config.middleware.PlainApi",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "site_config.errors.Sessions",
    "site_config.middleware.Language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "chat.sign_in.middleware.SecondFactor",
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

# WhiteNoise serves static files from the apps and static/, so a deployment needs no collectstatic. They
# are few. Their short max-age makes browsers ask again, which an ETag answers.
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False  # other sites don't use them

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]  # of pages: the browser chooses
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
USE_TZ = True

# --- Safe by default ----------------------------------------------------------------------

IS_HTTPS = SITE_URL.startswith("https://")
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$"]  # probes come from inside, over plain HTTP
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
# A browser accepts a cookie with this prefix only from this host over HTTPS, and for the whole site. So
# neither a sibling domain nor a plain HTTP page can set one.
COOKIE_PREFIX = "__Host-" if IS_HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}django_language"  # read, though no page of ours sets it
MESSAGE_STORAGE = "site_config.cookies.Messages"
SESSION_COOKIE_AGE = 12 * 60 * 60  # seconds after the sign-in, even if the session is in use
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "site_config.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# No page uses inline code, evaluated code, or files from another site.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
# No page takes a file. Otherwise, Django would write any that somebody sends to the disk, whatever its size.
FILE_UPLOAD_HANDLERS: list[str] = []
# True only if a proxy in front of the site sets the headers itself. Otherwise a client could set them.
BEHIND_PROXY = env.boolean("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# HSTS with subdomains would promise HTTPS for other sites of the owner.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "chat.sign_in.passwords.GuessableValidator"}]
# The first one only refuses: clients and accounts with too many failures (chat/sign_ins.py).
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
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # stores failed sign-ins as rows, not in the log
AXES_VERBOSE = False

# Whether accounts that may operate or configure, and staff, need a second factor.
SECOND_FACTOR_REQUIRED = env.boolean("SECOND_FACTOR_REQUIRED", False)
# The question for the password before a harmful act: asked if the sign-in is older.
CONFIRM_SIGN_IN_AFTER = timedelta(minutes=15)
# Of django-allauth, only second factors and the list of sessions are used (chat/sign_in). Its own pages to
# register and to confirm addresses are not there.
ACCOUNT_ADAPTER = "chat.sign_in.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are active once their address is verified (chat/accounts.py)
ACCOUNT_EMAIL_NOTIFICATIONS = True  # a changed factor is a mail to its owner
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_RATE_LIMITS = {
    "login_failed": "30/m/ip,5/15m/key",  # codes; passwords are counted by django-axes
    "passkey_question": "60/m/ip",
    "reset_password": "10/h/ip,3/h/key",  # each may send a mail; the key is the address
}
PASSWORD_RESET_TIMEOUT = 60 * 60  # seconds
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}
MFA_ADAPTER = "chat.sign_in.adapters.MFAAdapter"
MFA_FORMS = {
    "authenticate": "chat.sign_in.factor_forms.AuthenticateForm",
    "authenticate_webauthn": "chat.sign_in.factor_forms.AuthenticateWebAuthnForm",
    "login_webauthn": "chat.sign_in.factor_forms.LoginWebAuthnForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RECOVERY_CODE_DIGITS = 10
MFA_TOTP_ISSUER = urlsplit(SITE_URL).hostname or ""
MFA_ALLOW_UNVERIFIED_EMAIL = True  # as above: the library's own table of addresses is empty
MFA_REAUTHENTICATION_REQUIRED = False  # the site asks by itself (chat/sign_in/confirmation.py)
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"

# --- Data ---------------------------------------------------------------------------------

# Whether the site reaches PostgreSQL through PgBouncer in transaction mode. Applies to both URLs.
BEHIND_PGBOUNCER = env.boolean("BEHIND_PGBOUNCER", False)
DATABASE = database.configured(
    env.database("DATABASE_URL", "sqlite:///db.sqlite3", root=BASE_DIR), is_pooled=BEHIND_PGBOUNCER
)
DATABASES = {"default": DATABASE}
# Throttles count in this table, which all processes on all machines share. Nothing else uses it.
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
    "immediate": False,  # never run a task inside a request, even with DEBUG on
    "consumer": {
        "workers": env.integer("HUEY_WORKERS", 2, at_least=1),
        "worker_type": env.choice("HUEY_WORKER_TYPE", "thread", ("thread", "process")),
        "max_delay": 0.5,  # seconds within which an idle worker notices a message
        "graceful_signal": "TERM",  # sent by docker stop and systemd
        "shutdown_timeout": 25,  # seconds; give docker a longer stop_grace_period, such as 30s
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
        # LISTEN and prepared statements would stay on a connection that another client uses next. So
        # workers poll every max_delay seconds instead.
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
# The bearer token that Prometheus sends. If it is empty, only programs on this machine may read /metrics.
HOUSEKEEPING_METRICS_TOKEN = env.text("METRICS_TOKEN", "")
HOUSEKEEPING_SITE_URL = SITE_URL  # for the links in mails
HOUSEKEEPING_CONFIRM_SIGN_IN = "chat.sign_in.confirmation.ask"
# They delete old tokens, sessions and records of sign-ins.
HOUSEKEEPING_WEBHOOK_HOSTS = env.words("HOUSEKEEPING_WEBHOOK_HOSTS", "")
HOUSEKEEPING_PING_URL = env.setting("HOUSEKEEPING_PING_URL")
HOUSEKEEPING_RECIPES = ["simplejwt", "sessions", "user_sessions", "axes"]
HOUSEKEEPING_AUTOSTART = env.boolean("HOUSEKEEPING_AUTOSTART", True)
# The page of settings tells which variable a value comes from.
HOUSEKEEPING_VARIABLES = {f"HOUSEKEEPING_{name}": f"HOUSEKEEPING_{name}" for name in env.settings_read} | {
    "HOUSEKEEPING_METRICS_TOKEN": "METRICS_TOKEN",
    "HOUSEKEEPING_SITE_URL": "SITE_URL",
    "retention.conversations": "HOUSEKEEPING_CONVERSATION_RETENTION_DAYS",
    "retention.users": "HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS",
    "DATABASES": "DATABASE_URL",
    "HUEY": "HUEY_URL",
    "HUEY.workers": "HUEY_WORKERS",
    "HUEY.worker_type": "HUEY_WORKER_TYPE",
    "TIME_ZONE": "TIME_ZONE",
    "EMAIL_BACKEND": "EMAIL_URL",
}

# --- Chat and mail ----------------------------------------------------------------------------

# The dotted path of a function that replies to messages: (conversation, message) -> text or None.
CHAT_REPLY = env.text("CHAT_REPLY", "")
# The link in a warning works until the account is deleted, including the night after its last day.
CHAT_VERIFICATION_MAX_AGE = timedelta(days=max(3, HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS + 1))

EMAIL_TIMEOUT = 10  # seconds for each reply of the mail server; a whole mail has its own limit
vars().update(env.email("EMAIL_URL", "consolemail://", smtp="housekeeping.journal.smtp.EmailBackend"))
# Saves verification mails and alerts as rows, which a consumer sends.
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
        "chat": "30/min",
        "chat_daily": "500/day",
    },
    # Trust X-Forwarded-For only if a proxy in front of the site sets it.
    "NUM_PROXIES": 1 if BEHIND_PROXY else 0,
    "EXCEPTION_HANDLER": "housekeeping.api.rules.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Housekeeping",
    "DESCRIPTION": "Controls and monitors the housekeeping of the site. Also serves the site's chat.",
    "VERSION": "1",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["housekeeping.api.description.schema.tidy"],
    "TAGS": [
        {"name": "tokens", "description": "Tokens that identify the caller."},
        {"name": "chat", "description": "Accounts, conversations, messages: each account sees only its own."},
    ],
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "CHECK_REVOKE_TOKEN": True,  # changing the password ends all earlier tokens
    "TOKEN_OBTAIN_SERIALIZER": "chat.serializers.SignInSerializer",
    "TOKEN_REFRESH_SERIALIZER": "chat.serializers.RefreshSerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "chat.serializers.SignOutSerializer",
    "UPDATE_LAST_LOGIN": True,  # a sign-in through the API counts as a login, too
}

# --- Logging ------------------------------------------------------------------------------------

LOG_FILE = env.text("LOG_FILE", "")
LOG_FORMAT = env.choice("LOG_FORMAT", "text", ("text", "json"))
# The id that the caller sends, if it is a UUID; otherwise a new one.
DJANGO_GUID = {"GUID_HEADER_NAME": "X-Request-ID", "EXPOSE_HEADER": False, "UUID_FORMAT": "string"}
LOGGING = logs.config(
    file=env.in_folder("LOG_FILE", BASE_DIR / LOG_FILE) if LOG_FILE else None, as_json=LOG_FORMAT == "json"
)

SENTRY_DSN = env.text("SENTRY_DSN", "")
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT", "")
telemetry.start(sentry_dsn=SENTRY_DSN, otlp_endpoint=OTEL_EXPORTER_OTLP_ENDPOINT)

# At the end, because a start that fails at a bad value must not leave a file behind.
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    private.make_sqlite(DATABASE["NAME"])  # it holds password hashes and session keys
