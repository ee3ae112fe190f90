"""What a real site writes to its log while somebody tries to forge it."""

import socket

import pytest

from tests import make
from tests.processes import Processes
from tests.services import wait_until

FORGED = b"%0a[ERROR]%20forged%1b[31m%e2%80%ae"


@pytest.fixture
def processes(transactional_db, tmp_path):
    running = Processes(tmp_path, HUEY_URL=f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3")
    yield running
    running.end()


def send(address, request):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request.replace(b"\n", b"\r\n"))
        while connection.recv(4096):
            pass


def test_no_request_writes_a_line_of_its_own(processes, tmp_path):
    log = tmp_path / "site.log"
    make.user(username="ada", password="correct horse 9")
    site, address = processes.site(
        "--noreload", HOUSEKEEPING_AUTOSTART="false", LOG_FILE=str(log), DEBUG="true"
    )
    body = b'{"username": "ada\\n[ERROR] forged\\u001b[31m\\u202e", "password": "x"}'
    for request in (
        b"GET /" + FORGED + b" HTTP/1.0\n\n",
        b"GET /\x1b[31m\xe2\x80\xae\xc2\x85[ERROR]forged HTTP/1.0\n\n",
        b"G\x1b[31mT /forged HTTP/1.0\n\n",
        b"GET / HTTP/1.0\nHost: forged\x1b[31m\xe2\x80\xae\n\n",
        b"GET / HTTP/1.0\nHost: 127.0.0.1\nUser-Agent: forged\x1b[31m\xe2\x80\xae\n\n",
        b"POST /sign-in HTTP/1.0\nReferer: http://forged\x1b[31m/\nContent-Length: 0\n\n",
        b"POST /api/token HTTP/1.0\nHost: 127.0.0.1\nContent-Type: application/json\n"
        + b"Content-Length: %d\n\n" % len(body)
        + body,
        b"GET /last HTTP/1.0\nHost: 127.0.0.1\n\n",
    ):
        send(address, request)

    site.says("/last")
    wait_until(lambda: "/last" in log.read_text(), what="the last request in the log file")
    for text in (site.output, log.read_bytes().decode()):
        assert "forged" in text
        lines = text.split("\n")
        assert [line for line in lines if line.startswith("[ERROR] forged")] == []
        assert [line for line in lines if not line.isprintable()] == []
        assert [line for line in lines if line.startswith("Traceback")] == []  # of a log that failed
