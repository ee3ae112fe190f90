"""Servers that receive webhooks and pings, on free loopback ports."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver(ThreadingHTTPServer):
    """Answers each POST with ``status`` and keeps what was accepted.

    ``drips``: the header of the answer never ends. ``location``: it redirects there.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.drips, self.location, self.delay = 200, False, "", 0.0
        self.received, self.refused = list[Request](), list[Request]()
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(self.server.delay)
        request = Request(parts.path, parse_qs(parts.query), self.headers, body)
        is_accepted = self.server.status < 300 and not self.server.drips
        (self.server.received if is_accepted else self.server.refused).append(request)
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        with suppress(OSError):
            while self.server.drips:
                self.wfile.write(b"x")
                time.sleep(0.05)
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *facts: Any) -> None:
        pass


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.drips = False
            server.shutdown()
            thread.join()
