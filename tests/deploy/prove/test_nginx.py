"""deploy/nginx/housekeeping.conf, as nginx itself checks it."""

import pytest

from tests.deploy import nginx
from tests.deploy.nginx import SAMPLE, directives


@pytest.fixture
def server(tmp_path):
    return nginx.here(tmp_path)


def test_nginx_finds_nothing_wrong_with_the_sample(server):
    server.configure(SAMPLE.read_text(), site=8000)

    checked = server.check()

    assert checked.returncode == 0, checked.stdout


def test_nginx_would_find_a_mistake(server):
    server.configure(SAMPLE.read_text() + "server { proxy_passs http://housekeeping; }", site=8000)

    assert 'unknown directive "proxy_passs"' in server.check().stdout


def test_headers_that_the_site_trusts_are_replaced():
    set_by_nginx = dict(value.split(None, 1) for value in directives(SAMPLE.read_text(), "proxy_set_header"))

    assert set_by_nginx["X-Forwarded-For"] == "$remote_addr"
    assert set_by_nginx["X-Forwarded-Proto"] == "$scheme"
