"""A project that installs the app and goes by other rules than the app's own."""

from site_config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.api.host.urls"
INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in ("drf_spectacular", "django_htmx")]  # noqa: F405
ALLOWED_HOSTS = ["testserver"]
DATABASES["default"]["ATOMIC_REQUESTS"] = True  # noqa: F405
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # its app demands it
]
HOUSEKEEPING_CONFIRM_SIGN_IN = ""
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
SECURE_SSL_REDIRECT = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

HOUSEKEEPING_TRIGGER_RATE = "4/hour"

RULES = "tests.api.host.rules"
REST_FRAMEWORK = {
    "ALLOWED_VERSIONS": ["2"],
    "COMPACT_JSON": False,
    "DATETIME_FORMAT": "%d.%m.%Y",
    "DATETIME_INPUT_FORMATS": ["%d.%m.%Y"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{RULES}.TakeTheFirst",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
    "DEFAULT_PERMISSION_CLASSES": [f"{RULES}.LetNobodyIn"],
    "DEFAULT_RENDERER_CLASSES": [f"{RULES}.Shout"],
    "DEFAULT_THROTTLE_CLASSES": [f"{RULES}.LetNobodyAskTwice"],
    "DEFAULT_THROTTLE_RATES": {},
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
    "EXCEPTION_HANDLER": f"{RULES}.swallow",
    "FORMAT_SUFFIX_KWARG": "pk",
    "NON_FIELD_ERRORS_KEY": "oops",
    "PAGE_SIZE": 1,
    "SCHEMA_COERCE_PATH_PK": False,
    "STRICT_JSON": False,
    "UNAUTHENTICATED_USER": None,
    "UNICODE_JSON": False,
    "URL_FORMAT_OVERRIDE": "task",
}
SPECTACULAR_SETTINGS = {
    "CAMELIZE_NAMES": True,
    "COMPONENT_SPLIT_PATCH": True,
    "OAS_VERSION": "3.0.3",
    "PREPROCESSING_HOOKS": [f"{RULES}.hide_all"],
    "SCHEMA_PATH_PREFIX": "/housekeeping",
    "SCHEMA_PATH_PREFIX_TRIM": True,
    "TAGS": [{"name": "shop"}],
    "TITLE": "A shop",
}
