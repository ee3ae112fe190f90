"""Where a request ends, as gunicorn reads it: a proxy in front of it must not be led to read it otherwise."""

import re
import socket

import pytest

from tests.site_config.test_wsgi import gunicorn

SECOND = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
AMBIGUOUS = {
    "a length and chunks": f"Content-Length: {5 + len(SECOND)}\r\nTransfer-Encoding: chunked",
    "two lengths": "Content-Length: 5\r\nContent-Length: 0",
    "a length that is no number": "Content-Length: +5",
    "a name with a blank": "Transfer-Encoding : chunked",
    "an unknown coding": "Transfer-Encoding: xchunked",
    "chunks that are not the last coding": "Transfer-Encoding: chunked, identity",
    "a line that goes on": "Transfer-Encoding:\r\n chunked",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    # With threads, as deploy/systemd starts it, and a connection may have several requests.
    environment = {"SITE_URL": "http://127.0.0.1", "GUNICORN_CMD_ARGS": "--threads 4 --keep-alive 1"}
    with gunicorn(tmp_path_factory.mktemp("gunicorn"), **environment) as port:
        yield port


def statuses(port, headers):
    """The statuses of all answers to what is sent, until gunicorn closes the connection."""
    request = f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n\r\n0\r\n\r\n{SECOND}"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode())
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", received)]


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_a_request_whose_end_is_ambiguous_is_refused_and_nothing_after_it_is_read(what, port):
    assert statuses(port, AMBIGUOUS[what]) in ([400], [501])


def test_after_one_whose_end_is_clear_the_next_is_read(port):
    assert statuses(port, "Content-Length: 5") == [403, 200]
