from datetime import timedelta

import pytest
from django.conf import settings as site_settings
from django.test import Client

from tests import make
from tests.site_config import site


@pytest.fixture
def clone(tmp_path):
    return site.fresh_clone(tmp_path)


# --- Safe by default --------------------------------------------------------------------------


def test_the_deployment_check_has_nothing_to_warn_of_on_https(tmp_path):
    check = site.manage(
        tmp_path, "check", "--deploy", "--fail-level", "WARNING", SITE_URL="https://example.com"
    )

    assert check.returncode == 0, check.stderr
    assert check.stdout.startswith("System check identified no issues")
    assert check.stderr == ""


def test_without_any_setting_the_site_is_a_safe_one_on_this_machine(clone):
    debug, hosts, url, behind_proxy = site.settings(
        clone, "DEBUG", "ALLOWED_HOSTS", "SITE_URL", "SECURE_PROXY_SSL_HEADER"
    )

    assert debug is False
    assert hosts == ["localhost", "127.0.0.1", "[::1]"]
    assert url == "http://127.0.0.1:8000"
    assert behind_proxy is None


@pytest.mark.parametrize(
    ("command", "url"),
    [
        ("runserver", "http://127.0.0.1:8000"),
        ("runserver 8011", "http://127.0.0.1:8011"),
        ("runserver --noreload 0.0.0.0:8011", "http://127.0.0.1:8011"),
        ("runserver -v 2 localhost:8011 --settings=site_config.settings", "http://localhost:8011"),
        ("runserver [::1]:8011", "http://[::1]:8011"),
        ("runserver -6 8011", "http://[::1]:8011"),
        ("run_huey", "http://127.0.0.1:8000"),
    ],
)
def test_links_lead_to_where_runserver_answers(clone, command, url):
    code = "import sys; sys.argv = sys.argv[1:]; from site_config import settings; print(settings.SITE_URL)"

    process = site.python(clone, "-c", code, "manage.py", *command.split())

    assert process.stdout.strip() == url, process.stderr


def test_a_site_url_that_is_set_wins_over_the_port_of_runserver(clone):
    code = "import sys; sys.argv = sys.argv[1:]; from site_config import settings; print(settings.SITE_URL)"

    process = site.python(clone, "-c", code, "manage.py", "runserver", "8011", SITE_URL="https://example.com")

    assert process.stdout.strip() == "https://example.com", process.stderr


def test_without_any_setting_housekeeping_is_as_the_contract_has_it(clone):
    expected = {
        "TIME_ZONE": "UTC",
        "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
        "HOUSEKEEPING_CONVERSATION_RETENTION_DAYS": 30,
        "HOUSEKEEPING_CONVERSATION_AGE_FROM": "created_at",
        "HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS": 7,
        "HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS": 0,
        "HOUSEKEEPING_TEST_SCHEDULE": False,
        "HOUSEKEEPING_UNDO_DAYS": 7,
        "HOUSEKEEPING_PACE": "normal",
        "HOUSEKEEPING_BRAKE_SHARE": 0.5,
        "HOUSEKEEPING_BRAKE_ROWS": 100,
        "HOUSEKEEPING_AUTOSTART": True,
    }

    values = site.settings(clone, *expected)

    assert dict(zip(expected, values, strict=True)) == expected


@pytest.mark.parametrize(("warning", "good_for"), [("0", 3), ("2", 3), ("20", 21)])
def test_a_link_is_good_until_the_night_after_the_warning_has_run_out(clone, warning, good_for):
    max_age = site.settings(
        clone,
        "CHAT_VERIFICATION_MAX_AGE",
        HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS="30",
        HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS=warning,
    )

    assert max_age == str(timedelta(days=good_for))


@pytest.mark.parametrize(("url", "https"), [("https://example.com", True), ("http://example.com", False)])
def test_what_is_for_https_alone_follows_the_address_of_the_site(clone, url, https):
    *switches, seconds, origins = site.settings(
        clone,
        "SECURE_SSL_REDIRECT",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SECURE_HSTS_SECONDS",
        "CSRF_TRUSTED_ORIGINS",
        SITE_URL=url,
    )

    assert switches == [https] * 3
    assert (seconds > 0) == https
    assert origins == [url]


@pytest.mark.parametrize(("url", "prefix"), [("https://example.com", "__Host-"), ("http://localhost", "")])
def test_on_https_the_names_of_cookies_bind_them_to_this_host(clone, url, prefix):
    names = site.settings(
        clone, "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_NAME", SITE_URL=url
    )

    assert names == [f"{prefix}sessionid", f"{prefix}csrftoken", f"{prefix}django_language"]


VISIT = """
import django; django.setup()
from django.core.management import call_command
from django.test import Client
from chat.models import User
call_command("migrate", verbosity=0)
User.objects.create_superuser("ada", "ada@example.com", "correct horse 9")
browser = Client(HTTP_HOST="example.com")
def post(path, **fields):
    answer = browser.post(path, fields, secure=True)
    for name, cookie in answer.cookies.items():
        print(name, bool(cookie["secure"]), cookie["path"], cookie["domain"] or "-")
post("/sign-in", username="ada", password="correct horse 9")
post("/scheduler-admin/schedules/weekly_cleanup/pause")
"""


def test_on_https_every_cookie_is_bound_to_this_host(tmp_path):
    hosts = {"SITE_URL": "https://example.com", "ALLOWED_HOSTS": "example.com"}

    visit = site.project(tmp_path, "-c", VISIT, **hosts)

    assert visit.returncode == 0, visit.stderr
    assert set(visit.stdout.splitlines()) == {
        f"__Host-{name} True / -" for name in ("sessionid", "csrftoken", "messages")
    }


def test_a_slash_at_the_end_of_the_address_is_no_part_of_it(clone):
    assert site.settings(clone, "SITE_URL", SITE_URL="https://example.com/") == "https://example.com"


def test_the_header_of_a_proxy_is_believed_only_where_there_is_one(clone):
    header = site.settings(clone, "SECURE_PROXY_SSL_HEADER", BEHIND_PROXY="true")

    assert header == ["HTTP_X_FORWARDED_PROTO", "https"]


@pytest.mark.django_db
def test_cookies_are_strict_and_out_of_reach_of_scripts():
    make.user(username="ada", password="correct horse 9")
    browser = Client()

    browser.post("/sign-in", {"username": "ada", "password": "correct horse 9"})

    for name in ("sessionid", "csrftoken"):
        cookie = browser.cookies[name]
        assert (cookie["samesite"], cookie["httponly"]) == ("Strict", True), name


@pytest.mark.django_db
def test_on_https_pages_are_redirected_and_probes_are_answered(settings):
    settings.SECURE_SSL_REDIRECT = True
    browser = Client()

    page, probe = browser.get("/sign-in"), browser.get("/healthz")

    assert (page.status_code, page["Location"]) == (301, "https://testserver/sign-in")
    assert probe.status_code == 200


@pytest.mark.django_db
def test_no_other_site_may_frame_a_page(client):
    assert client.get("/sign-in")["X-Frame-Options"] == "DENY"


# --- The database -----------------------------------------------------------------------------


def test_without_any_setting_database_and_queue_are_files_at_the_root(clone):
    databases, huey = site.settings(clone, "DATABASES", "HUEY")

    assert databases["default"]["ENGINE"] == "django.db.backends.sqlite3"
    assert databases["default"]["NAME"] == str(clone / "db.sqlite3")
    assert huey["huey_class"] == "housekeeping.queue.SqliteQueue"
    assert huey["filename"] == str(clone / "huey.sqlite3")


def test_a_file_is_named_from_the_root_or_in_full(clone, tmp_path):
    (clone / "data").mkdir()

    databases, huey = site.settings(
        clone,
        "DATABASES",
        "HUEY",
        DATABASE_URL="sqlite:///data/site.sqlite3",
        HUEY_URL=f"sqlite:///{tmp_path}/queue.sqlite3",
    )

    assert databases["default"]["NAME"] == str(clone / "data" / "site.sqlite3")
    assert huey["filename"] == str(tmp_path / "queue.sqlite3")


def test_sqlite_waits_for_its_turn(clone):
    options = site.settings(clone, "DATABASES")["default"]["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] >= 5
    assert "journal_mode=WAL" in options["init_command"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgres_url_is_a_postgres_database(clone, scheme):
    url = f"{scheme}://chat:p%40ss%2Fword@db.example.com:5433/site?sslmode=require"

    database = site.settings(clone, "DATABASES", DATABASE_URL=url)["default"]

    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example.com", 5433, "site")
    assert (database["USER"], database["PASSWORD"]) == ("chat", "p@ss/word")
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["connect_timeout"] == 5
    assert database["CONN_HEALTH_CHECKS"] is True


# --- The queue --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "queue", "key"),
    [
        ("redis://:secret@127.0.0.1:6380/1", "RedisQueue", "url"),
        ("rediss://cache.example.com/0", "RedisQueue", "url"),
        ("postgres://chat@127.0.0.1:5433/queue", "PostgresQueue", "dsn"),
        ("postgresql://chat@127.0.0.1/queue", "PostgresQueue", "dsn"),
    ],
)
def test_the_queue_lives_where_its_url_says(clone, url, queue, key):
    huey = site.settings(clone, "HUEY", HUEY_URL=url)

    assert huey["huey_class"] == f"housekeeping.queue.{queue}"
    assert huey[key] == url


@pytest.mark.parametrize("debug", ["true", "false"])
def test_tasks_never_run_inside_a_request_whatever_debug_says(clone, debug):
    assert site.settings(clone, "DEBUG", "HUEY", DEBUG=debug)[1]["immediate"] is False


def test_the_queue_of_a_site_with_debug_on_is_not_immediate(tmp_path):
    code = "from huey.contrib.djhuey import HUEY; print(type(HUEY).__name__, HUEY.immediate)"

    process = site.project(tmp_path, "-c", code, DEBUG="true")

    assert process.stdout == "SqliteQueue False\n", process.stderr


def test_the_consumer_is_as_large_as_the_environment_says(clone):
    default = site.settings(clone, "HUEY")["consumer"]
    larger = site.settings(clone, "HUEY", HUEY_WORKERS="8", HUEY_WORKER_TYPE="process")["consumer"]

    assert (default["workers"], default["worker_type"]) == (2, "thread")
    assert (larger["workers"], larger["worker_type"]) == (8, "process")


def test_behind_pgbouncer_nothing_is_asked_of_a_session(clone):
    url = "postgres://site@db/site"

    database, huey = site.settings(
        clone, "DATABASE", "HUEY", DATABASE_URL=url, HUEY_URL=url, BEHIND_PGBOUNCER="true"
    )

    assert "options" not in database["OPTIONS"]
    assert database["DISABLE_SERVER_SIDE_CURSORS"]
    assert (huey["blocking"], huey["prepare_threshold"]) == (False, None)


# --- Mail and logs ----------------------------------------------------------------------------


def test_a_mail_server_is_named_by_its_url(clone):
    backend, host, port, user, password, tls = site.settings(
        clone,
        "EMAIL_BACKEND",
        "EMAIL_HOST",
        "EMAIL_PORT",
        "EMAIL_HOST_USER",
        "EMAIL_HOST_PASSWORD",
        "EMAIL_USE_TLS",
        EMAIL_URL="smtp+tls://post:p%40ss@mail.example.com:587",
    )

    assert backend == "housekeeping.journal.smtp.EmailBackend"
    assert (host, port, user, password, tls) == ("mail.example.com", 587, "post", "p@ss", True)


def test_a_mail_server_that_hangs_does_not_take_a_request_along():
    assert 0 < site_settings.EMAIL_TIMEOUT <= 30


def test_what_is_logged_goes_to_a_file_as_well(clone):
    config = site.settings(clone, "LOGGING", LOG_FILE="site.log")
    code = "import logging, logging.config, site_config.settings as s; logging.config.dictConfig(s.LOGGING)\n"
    code += "logging.getLogger('housekeeping.runs.control').info('Purged 5')"

    logged = site.python(clone, "-c", code, LOG_FILE="site.log")

    assert config["handlers"]["file"]["filename"] == str(clone / "site.log")
    assert logged.stderr == "[INFO] Purged 5\n"
    assert (clone / "site.log").read_text().endswith("Purged 5\n")
