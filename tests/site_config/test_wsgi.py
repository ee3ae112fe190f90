"""The site under gunicorn, as docs/howto/the-demo-site.md serves it."""

import os
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from tests import services
from tests.site_config import site


@contextmanager
def gunicorn(folder, **environment):
    """The port of a site of HTTPS that is served over plain HTTP on this machine."""
    port = services.free_port()
    settings = {
        "ENV_FILE": os.devnull,
        "SECRET_KEY": site.SECRET_KEY,
        "SITE_URL": "https://example.com",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "HUEY_URL": f"sqlite:///{folder}/huey.sqlite3",
    }
    command = [sys.executable, "-m", "gunicorn", "site_config.wsgi", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        command, cwd=site.PROJECT, env=os.environ | settings | environment, stderr=subprocess.DEVNULL
    )
    try:
        services.wait_until(lambda: services.answers(port), what="gunicorn")
        yield port
    finally:
        server.terminate()
        server.wait(30)


def status_of(port, **headers):
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/sign-in", headers=headers)
    return connection.getresponse().status


@pytest.mark.parametrize(("behind_proxy", "status"), [("false", 301), ("true", 200)])
def test_a_forwarded_scheme_counts_only_behind_a_proxy(behind_proxy, status, tmp_path):
    with gunicorn(tmp_path, BEHIND_PROXY=behind_proxy) as port:
        plain = status_of(port)
        forwarded = status_of(port, **{"X-Forwarded-Proto": "https"})

    assert (plain, forwarded) == (301, status)
