"""The site as deploy/ installs it, once from the start to a run, without containers.

nginx with TLS, the gunicorn and the consumer of the systemd units, PostgreSQL and Redis with passwords, and
the files that the Dockerfile copies.
"""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener

import psycopg
import pytest
import redis

from tests import services
from tests.deploy import nginx
from tests.deploy.nginx import SAMPLE
from tests.deploy.prove.test_docker import copied
from tests.docs.test_systemd import UNITS, read
from tests.processes import ROOT
from tests.services import free_port, wait_until

PASSWORD = "correct-horse-9-battery"
SECRET = "a1b2c3d4e5f6" * 5


class Redis(services.Redis):
    """As in compose.yaml: nobody gets in without a password."""

    def __init__(self, folder):
        super().__init__(folder)
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self):
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD]
        words = [self.program, *options, "--save", "", "--dir", str(self.folder)]
        self.server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        wait_until(lambda: services.answers(self.port), what="Redis")


class Postgres(services.Postgres):
    """With an account of the site's own, and a password for it."""

    def start(self):
        super().start()
        sql = (
            f"CREATE ROLE housekeeping LOGIN PASSWORD '{PASSWORD}'",
            "CREATE DATABASE housekeeping OWNER housekeeping",
        )
        for statement in sql:
            psql = [self.programs / "psql", "-q", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres"]
            services._as_postgres([*psql, "-c", statement])
        rules = self.data / "pg_hba.conf"
        rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        self._control("reload")
        self.url = f"postgres://housekeeping:{PASSWORD}@127.0.0.1:{self.port}/housekeeping"


@contextmanager
def process(words, *, log, **options):
    """A process that is told to stop at the end, and has to stop within the unit's time."""
    with log.open("wb") as stream:
        child = subprocess.Popen(words, stdout=stream, stderr=stream, **options)
    try:
        yield child
        assert child.poll() is None, log.read_text()
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            raise


def started(unit, **changes):
    """The command of a unit, with this Python and these changes."""
    command = read(UNITS[unit])["Service"]["ExecStart"].replace(
        "/srv/site/.venv/bin", str(Path(sys.executable).parent)
    )
    for theirs, ours in changes.items():
        command = command.replace(theirs, ours)
    return command.split()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """The folder, the ports and a way to call manage.py of a site that runs behind nginx."""
    folder = tmp_path_factory.mktemp("deployed")
    app = folder / "app"
    for one in copied():
        source, target = ROOT / one, app / one
        target.parent.mkdir(parents=True, exist_ok=True)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=ignore) if source.is_dir() else shutil.copy(source, target)
    (folder / "nginx").mkdir()
    (folder / "nginx").chmod(0o755)
    with ExitStack() as stack:
        server = nginx.here(folder / "nginx")
        site = free_port()
        server.configure(SAMPLE.read_text(), site=site)
        database = stack.enter_context(services.running(Postgres))
        queue = stack.enter_context(services.running(Redis))
        ready = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        ready.bind(str(folder / "notify"))
        ready.settimeout(60)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": SECRET,
            "SITE_URL": f"https://localhost:{server.https}",
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "BEHIND_PROXY": "true",
            "DATABASE_URL": database.url,
            "HUEY_URL": queue.url,
            "PORT": str(site),
        }

        def manage(*words, **variables):
            return subprocess.run(
                [sys.executable, "manage.py", *words],
                cwd=app,
                env=environment | variables,
                capture_output=True,
                text=True,
                timeout=120,
            )

        migrated = manage("migrate")
        assert migrated.returncode == 0, migrated.stderr
        words = started("housekeeping-site", **{"127.0.0.1:8000": f"127.0.0.1:{site}"})
        notify = {"NOTIFY_SOCKET": str(folder / "notify")}
        here = {"cwd": app, "preexec_fn": refuse_executable_memory}
        stack.enter_context(process(words, log=folder / "site.log", env=environment | notify, **here))
        assert b"READY=1" in ready.recv(4096)
        words = started("housekeeping")
        stack.enter_context(process(words, log=folder / "consumer.log", env=environment, **here))
        stack.enter_context(server.running())
        yield SimpleNamespace(app=app, manage=manage, server=server, environment=environment, folder=folder)


def refuse_executable_memory():
    """As MemoryDenyWriteExecute does: no memory becomes executable (prctl PR_SET_MDWE, Linux 6.3)."""
    import ctypes

    ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)


class Browser:
    """Keeps cookies, and trusts the certificate of this nginx alone."""

    def __init__(self, server):
        self.address = f"https://localhost:{server.https}"
        self.cookies = CookieJar()
        tls = ssl.create_default_context(cafile=server.certificate)
        self.opener = build_opener(HTTPSHandler(context=tls), HTTPCookieProcessor(self.cookies))

    def __call__(self, path, data=None, **headers):
        address = path if path.startswith("http") else self.address + path
        headers = {"Referer": f"{self.address}/", **headers}
        try:
            return self.opener.open(Request(address, data, headers), timeout=40)
        except HTTPError as error:
            return error


@pytest.fixture
def browser(deployed):
    return Browser(deployed.server)


def sign_in(browser, path, *, headers=None, **fields):
    """Open a page, and fill in the form that it, or the page that it leads to, has."""
    form = browser(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.read().decode())[1]
    return browser(form.url, urlencode(fields | {"csrfmiddlewaretoken": token}).encode(), **headers or {})


def test_the_deployment_checks_itself(deployed):
    checked = deployed.manage("check", "--deploy", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr


def test_somebody_signs_in_and_a_consumer_carries_out_a_run(deployed, browser):
    given = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    words = ("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com")
    assert deployed.manage(*words, **given).returncode == 0

    page = sign_in(browser, "/scheduler-admin", username="ada", password=PASSWORD)

    assert page.status == 200
    assert "conversations" in page.read().decode()
    assert page.headers["Strict-Transport-Security"]
    assert {one.name for one in browser.cookies} >= {"__Host-sessionid", "__Host-csrftoken"}
    assert all(one.secure for one in browser.cookies)

    body = json.dumps({"username": "ada", "password": PASSWORD}).encode()
    tokens = json.load(browser("/api/token", body, **{"Content-Type": "application/json"}))
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {tokens['access']}"}
    body = json.dumps({"task": "stats", "wait": 30}).encode()
    done = browser("/api/admin/scheduler/trigger", body, **headers)
    assert done.status == 200
    run = json.load(done)["run"]
    assert run["status"] == "succeeded"
    [consumer] = json.load(browser("/api/admin/scheduler/consumers", **headers))["results"]
    assert (consumer["alive"], consumer["schedules"]) == (True, True)
    shown = deployed.manage("housekeeping_runs", "show", run["id"][:8], "--json")
    assert json.loads(shown.stdout)["consumer"] == f"{consumer['host']}:{consumer['pid']}"


def test_plain_http_leads_to_tls(deployed, browser):
    page = browser(f"http://localhost:{deployed.server.http}/readyz?from=http")

    assert page.url == f"{browser.address}/readyz?from=http"
    assert page.status == 200


def test_static_files_come_without_collectstatic(deployed, browser):
    sheet = re.search(r'href="(/static/[^"]+\.css)"', browser("/scheduler-admin").read().decode())[1]

    answer = browser(sheet)
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/css")


def test_old_tls_is_refused(deployed):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(deployed.server.certificate)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    connection = socket.create_connection(("127.0.0.1", deployed.server.https))
    with connection, pytest.raises(ssl.SSLError):
        old.wrap_socket(connection, server_hostname="localhost")


def test_a_client_can_t_choose_the_address_that_the_site_sees(deployed, browser):
    forged = {"X-Forwarded-For": "203.0.113.9"}
    sign_in(browser, "/sign-in", username="nobody", password="wrong", headers=forged)

    code = "from axes.models import *; print(*AccessAttempt.objects.values_list('ip_address', flat=True))"
    assert deployed.manage("shell", "-v", "0", "-c", code).stdout.split() == ["127.0.0.1"]


def test_the_containers_health_checks_pass(deployed):
    check = [sys.executable, "deploy/docker/healthy.py"]
    healthy = subprocess.run(
        check, cwd=deployed.app, env=deployed.environment, capture_output=True, text=True
    )
    elsewhere = deployed.environment | {"PORT": str(free_port())}
    ill = subprocess.run(check, cwd=deployed.app, env=elsewhere, capture_output=True, text=True)

    assert healthy.returncode == 0, healthy.stderr
    assert (ill.returncode, ill.stderr.splitlines()[-1:]) == (
        1,
        ["<urlopen error [Errno 111] Connection refused>"],
    )
    assert "Scheduler State: 1 (running)" in deployed.manage("scheduler_info").stdout


def test_nobody_gets_in_without_the_passwords(deployed):
    database, queue = (deployed.environment[name] for name in ("DATABASE_URL", "HUEY_URL"))

    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(queue.replace(f":{PASSWORD}@", "")).ping()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(database.replace(PASSWORD, "wrong"))


def test_nothing_was_written_beside_the_code(deployed):
    """So the file system of the containers can be read-only."""
    written = {str(one.relative_to(deployed.app)) for one in deployed.app.rglob("*") if one.is_file()}
    copied_files = {
        str(one.relative_to(ROOT))
        for name in copied()
        for one in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
        if one.is_file() and "__pycache__" not in one.parts
    }

    assert written == copied_files
