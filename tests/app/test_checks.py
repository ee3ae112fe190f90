"""What ``manage.py check`` says of a project that can't work as it is."""

import re
import subprocess
import sys

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.checks import run_checks
from django.urls import include, path, reverse_lazy, set_script_prefix
from django.utils.functional import lazystr
from django.utils.module_loading import import_string
from django_htmx.middleware import HtmxMiddleware

from chat.models import Conversation
from housekeeping.checks import addresses
from housekeeping.declared.policies import Policy
from tests.make import days
from tests.processes import ROOT
from tests.zoo.models import Animal

# From Django 6.1 on, `check` asks every database what it can do.
pytestmark = pytest.mark.django_db


def found(settings=None, **changed):
    """The ids and words of our messages, with these settings."""
    for name, value in changed.items():
        setattr(settings, name, value)
    return [(one.id, one.msg) for one in run_checks() if str(one.id).startswith("housekeeping.")]


def ids(settings=None, **changed):
    return [name.removeprefix("housekeeping.") for name, _ in found(settings, **changed)]


def sign_in(request): ...


class OnlyPages:
    urlpatterns = [path("tidy/", include("housekeeping.urls")), path("enter/", sign_in, name="login")]


class PagesInLanguages:
    urlpatterns = [*i18n_patterns(path("enter/", sign_in, name="login")), *OnlyPages.urlpatterns[:1]]


class PagesByAnotherName:
    urlpatterns = [path("tidy/", include("housekeeping.urls", namespace="ops")), *OnlyPages.urlpatterns[1:]]


class OnlyTheApi:
    urlpatterns = [path("tidy/", include("housekeeping.api.urls"))]


class TheApiByAnotherName:
    urlpatterns = [path("tidy/", include("housekeeping.api.urls", namespace="ops-api"))]


class Neither:
    urlpatterns: list = []


class OurHtmx(HtmxMiddleware):
    pass


def without(names, name):
    return [one for one in names if one != name]


def test_of_the_site_itself_there_is_nothing_to_say():
    assert found() == []


def test_times_without_a_zone_are_an_error(settings):
    assert "E011" in ids(settings, USE_TZ=False)


# --- The queue --------------------------------------------------------------------------------


@pytest.mark.parametrize("huey", [None, {}, {"huey_class": "huey.RedisHuey"}, {"huey_class": "no.such"}, 7])
def test_a_huey_that_is_none_of_ours_is_an_error(settings, huey):
    assert ids(settings, HUEY=huey) == ["E013"]


def test_no_huey_at_all_is_an_error(settings):
    del settings.HUEY

    assert ids() == ["E013"]


def test_huey_s_app_has_to_be_installed(settings):
    assert ids(settings, INSTALLED_APPS=without(settings.INSTALLED_APPS, "huey.contrib.djhuey")) == ["E013"]


@pytest.mark.parametrize(("immediate", "expected"), [(True, ["E002"]), (False, []), (None, [])])
def test_only_a_queue_that_is_immediate_by_its_own_words_is_an_error(settings, immediate, expected):
    huey = {name: value for name, value in settings.HUEY.items() if name != "immediate"}

    assert ids(settings, HUEY=huey, DEBUG=True) == []
    assert ids(settings, HUEY={**huey, "immediate": immediate}) == expected


# --- Pages and API, where they are included ---------------------------------------------------


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [(OnlyPages, ["E014"]), (PagesByAnotherName, ["E014"]), (OnlyTheApi, []), (Neither, [])],
)
def test_the_pages_need_the_app_of_htmx(settings, addresses, expected):
    settings.INSTALLED_APPS = without(settings.INSTALLED_APPS, "django_htmx")

    assert ids(settings, ROOT_URLCONF=addresses) == expected


@pytest.mark.parametrize("middleware", addresses.MIDDLEWARE)
def test_the_pages_need_their_middleware(settings, middleware):
    needed = import_string(middleware)
    settings.MIDDLEWARE = [
        one for one in settings.MIDDLEWARE if needed not in getattr(import_string(one), "__mro__", ())
    ]

    assert ("housekeeping.E015", f"The dashboard needs the middleware {middleware}.") in found()
    assert "E015" not in ids(settings, ROOT_URLCONF=OnlyTheApi)


def test_a_middleware_that_extends_the_one_needed_will_do(settings):
    theirs = "django_htmx.middleware.HtmxMiddleware"
    ours = [f"{__name__}.OurHtmx" if one == theirs else one for one in settings.MIDDLEWARE]

    assert ids(settings, MIDDLEWARE=ours) == []


@pytest.mark.parametrize("processor", addresses.CONTEXT_PROCESSORS)
def test_the_pages_need_their_context_processors(settings, processor):
    [engine] = settings.TEMPLATES
    used = without(engine["OPTIONS"]["context_processors"], processor)
    settings.TEMPLATES = [{**engine, "OPTIONS": {"context_processors": used}}]

    assert found() == [
        ("housekeeping.E016", f"The dashboard's templates need the context processor {processor}.")
    ]
    assert ids(settings, ROOT_URLCONF=Neither) == []


@pytest.mark.parametrize(
    "address", ["/accounts/login/", "/enter/more", "enter/", "./enter/", lazystr("/accounts/login/")]
)
def test_an_address_to_sign_in_that_has_no_page_is_a_warning(settings, address):
    [(name, said)] = found(settings, ROOT_URLCONF=OnlyPages, LOGIN_URL=address)

    assert name == "housekeeping.W005"
    assert "nobody can sign in to the dashboard: the project has no page at /" in said


@pytest.mark.parametrize(
    "name", ["enter", "admin:login", reverse_lazy("enter")], ids=["name", "space", "lazy"]
)
def test_a_name_of_the_page_to_sign_in_that_nothing_bears_is_a_warning(settings, name):
    assert ids(settings, ROOT_URLCONF=OnlyPages, LOGIN_URL=name) == ["W005"]


@pytest.mark.parametrize(
    "address",
    [
        *["login", reverse_lazy("login"), sign_in, lazystr("login")],
        *["/enter/", "/enter", "/enter/?by=mail#form", "../enter/", lazystr("/enter/")],
        *["https://login.example/enter", "//login.example/"],  # nothing can be told of another host
    ],
)
def test_an_address_to_sign_in_that_has_a_page_or_is_elsewhere_will_do(settings, address):
    assert ids(settings, ROOT_URLCONF=OnlyPages, LOGIN_URL=address) == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [("login", []), ("/en-gb/enter/", []), ("/de/enter/", []), ("/enter/", []), ("/xx/enter/", ["W005"])],
)
def test_an_address_to_sign_in_may_begin_with_a_language(settings, address, expected):
    assert ids(settings, ROOT_URLCONF=PagesInLanguages, LOGIN_URL=address) == expected


@pytest.mark.parametrize(
    ("address", "expected"), [("login", []), ("/app/enter/", []), ("/sso/", []), ("/app/sso/", ["W005"])]
)
def test_an_address_to_sign_in_may_begin_with_where_the_project_is_mounted(settings, address, expected):
    set_script_prefix("/app/")
    try:
        assert ids(settings, ROOT_URLCONF=OnlyPages, LOGIN_URL=address) == expected
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize("addresses", [OnlyTheApi, Neither])
def test_only_the_pages_need_an_address_to_sign_in(settings, addresses):
    assert ids(settings, ROOT_URLCONF=addresses, LOGIN_URL="/accounts/login/") == []


def test_the_pages_need_users_with_rights(settings, monkeypatch):
    monkeypatch.setattr("housekeeping.checks.addresses.get_user_model", lambda: Conversation)

    assert "E017" in ids()
    assert "E017" not in ids(settings, ROOT_URLCONF=Neither)


def test_the_api_needs_django_rest_framework(settings):
    settings.INSTALLED_APPS = without(settings.INSTALLED_APPS, "rest_framework")

    assert "E018" in ids()
    assert "E018" in ids(settings, ROOT_URLCONF=TheApiByAnotherName)
    assert "E018" not in ids(settings, ROOT_URLCONF=OnlyPages)


# --- A project that is broken -----------------------------------------------------------------


def test_a_policy_whose_rows_can_t_be_asked_for_is_an_error(add_task):
    add_task("broken", lambda purge: {}, policy=Policy("broken", rows=lambda cutoff: 1 / 0))

    problem = "asking for them raises ZeroDivisionError: division by zero"
    assert ("housekeeping.E003", f"The policy 'broken' can't purge its rows: {problem}.") in found()


def test_an_error_that_ends_with_a_full_stop_gets_no_second_one(add_task):
    rows = Policy("broken", rows=lambda cutoff: Conversation.objects.all()[:9])
    add_task("broken", lambda purge: {}, policy=rows)

    [(_, said)] = found()

    assert said.endswith("once a slice has been taken.")


BROKEN = {
    "rows returns a list, not a queryset": lambda cutoff: [],
    "rows returns a NoneType, not a queryset": lambda cutoff: None,
    "rows returns a ModelBase, not a queryset": lambda cutoff: Conversation,
    "asking for them raises TypeError: Cannot reorder": lambda cutoff: Conversation.objects.all()[:9],
}


@pytest.mark.parametrize(("problem", "rows"), BROKEN.items())
def test_a_policy_that_can_t_be_counted_hides_no_other_one(problem, rows, add_task):
    add_task("broken", lambda purge: {}, policy=Policy("broken", rows))
    add_task("other", lambda purge: {}, policy=Policy("other", rows=lambda cutoff: 1 / 0))

    (first, said), (second, _) = found()

    assert (first, second) == ("housekeeping.E003", "housekeeping.E003")
    assert said.startswith(f"The policy 'broken' can't purge its rows: {problem}")


def test_a_policy_whose_age_does_not_exist_is_an_error(add_task):
    policy = Policy("broken", rows=lambda cutoff: Conversation.objects.all(), age="nope")
    add_task("broken", lambda purge: {}, policy=policy)

    [(name, said)] = found()

    assert name == "housekeeping.E003"
    assert "FieldError: Cannot resolve keyword 'nope' into field" in said


def test_an_age_that_is_a_date_works_in_a_zone_east_of_utc(add_task, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    born = Policy("born", lambda cutoff: Animal.objects.filter(born__lt=cutoff), days(30), age="born")
    add_task("born", lambda purge: {}, policy=born)

    assert "E003" not in ids()
    assert born.known_model is Animal


def test_a_manager_will_do_for_the_rows_of_a_policy(add_task):
    add_task("rows", lambda purge: {}, policy=Policy("rows", lambda cutoff: Conversation.objects))

    assert "E003" not in ids()


def test_what_makes_a_check_fail_is_a_warning_and_ends_no_command(settings):
    settings.HOUSEKEEPING_RECIPES = 7

    assert set(ids()) == {"E010", "W003"}


PROJECT = """
SECRET_KEY = "a key for this test alone, as long as Django wants one to be"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "housekeeping"]
DATABASES = {"default": {"ENGINE": "django.db.backends.dummy"}}
"""


def test_another_database_is_an_error_also_where_nothing_else_is_set_up(tmp_path):
    (tmp_path / "bare.py").write_text(PROJECT)

    done = subprocess.run(
        [sys.executable, "-m", "django", "check"],
        env={"DJANGO_SETTINGS_MODULE": "bare", "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
    )

    said = re.findall(r"\(housekeeping\.(\w+)\)", done.stderr)
    assert (done.returncode, said) == (1, ["E012", "E013"])
    assert "The database engine 'django.db.backends.dummy' is not supported." in done.stderr
    assert "Traceback" not in done.stderr


def test_addresses_that_can_t_be_loaded_are_django_s_to_report(settings):
    settings.ROOT_URLCONF = "no.such.module"

    assert addresses.pages_have_their_middleware() == []
