"""What the dashboard and the API need, where a project includes their addresses."""

from typing import Any
from urllib.parse import urljoin, urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.shortcuts import resolve_url
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.urls import NoReverseMatch, get_resolver, get_script_prefix, is_valid_path, reverse
from django.utils.module_loading import import_string
from django.utils.translation import get_language, get_language_from_path, override

from housekeeping.checks.registration import check

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]


def _has_included(app_name: str) -> bool:
    """Has the project included our addresses, under any namespace?

    Also False if the project's addresses can't be loaded: Django's own check reports that.
    """
    try:
        return app_name in get_resolver().app_dict
    except Exception:
        return False


@check
def pages_have_htmx(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping") or apps.is_installed("django_htmx"):
        return []
    return [
        Error(
            "The dashboard needs django-htmx, which is not installed.",
            hint='Add "django_htmx" to INSTALLED_APPS.',
            id="housekeeping.E014",
        )
    ]


@check
def pages_have_their_middleware(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping"):
        return []
    return [
        Error(
            f"The dashboard needs the middleware {path}.",
            hint=f'Add "{path}" to MIDDLEWARE.',
            id="housekeeping.E015",
        )
        for path in MIDDLEWARE
        if not _is_in_use(path)
    ]


def _is_in_use(path: str) -> bool:
    """Is this middleware, or a class that extends it, in MIDDLEWARE?"""
    if path in settings.MIDDLEWARE:
        return True
    try:
        wanted = import_string(path)
        used = [import_string(other) for other in settings.MIDDLEWARE]
    except Exception:  # Django reports one that can't be imported
        return False
    return any(isinstance(one, type) and issubclass(one, wanted) for one in used)


@check
def pages_have_their_context(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping"):
        return []
    found = [engine for engine in engines.all() if isinstance(engine, DjangoTemplates)]
    used = found[0].engine.context_processors if found else []
    return [
        Error(
            f"The dashboard's templates need the context processor {path}.",
            hint=f'Add "{path}" to the context_processors in TEMPLATES, in the OPTIONS of DjangoTemplates.',
            id="housekeeping.E016",
        )
        for path in CONTEXT_PROCESSORS
        if path not in used
    ]


@check
def visitors_can_sign_in(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping") or not (problem := _problem_of_login_url()):
        return []
    return [
        CheckWarning(
            f"LOGIN_URL leads nowhere, so that nobody can sign in to the dashboard: {problem}",
            hint='Name your own page to sign in, by its address or URL name: LOGIN_URL = "admin:login".',
            id="housekeeping.W005",
        )
    ]


def _problem_of_login_url() -> str:
    """Why Django has no page at LOGIN_URL; empty if it has one, or if the address belongs to another site."""
    try:
        # A relative address is followed from the page that a visitor has opened.
        address = urljoin(reverse("housekeeping:overview"), resolve_url(settings.LOGIN_URL))
    except NoReverseMatch as error:
        return str(error)
    parts, root = urlsplit(address), get_script_prefix()
    if parts.netloc or not parts.path.startswith(root) or _is_page(f"/{parts.path.removeprefix(root)}"):
        return ""
    return f"the project has no page at {address}."


def _is_page(path: str) -> bool:
    """Does a page answer at this path, or one that Django's middleware leads to from there?"""
    with override(get_language_from_path(path) or get_language()):  # for i18n_patterns
        found = [path, f"{path}/", f"/{get_language()}{path}", f"/{get_language()}{path}/"]
        return any(is_valid_path(one) for one in found)


@check
def users_have_rights(**kwargs: Any) -> list[CheckMessage]:
    if not (_has_included("housekeeping") or _has_included("housekeeping_api")):
        return []
    user = get_user_model()
    if hasattr(user, "has_perm") and hasattr(user, "has_perms"):
        return []
    return [
        Error(
            f"{user._meta.label} has no has_perm(): nobody could be allowed to see or do anything.",
            hint="Let it extend django.contrib.auth.models.PermissionsMixin.",
            id="housekeeping.E017",
        )
    ]


@check
def the_api_has_its_framework(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping_api") or apps.is_installed("rest_framework"):
        return []
    return [
        Error(
            "The API needs Django REST framework, which is not installed.",
            hint='Add "rest_framework" to INSTALLED_APPS.',
            id="housekeeping.E018",
        )
    ]
