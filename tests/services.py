"""The servers that tests need, started on free loopback ports and stopped afterwards."""

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

MISSING = " is missing on this machine"


def need(part: str, path: str | None) -> str:
    """``path``. If the machine lacks the part, skips the test, or fails it in CI."""
    if path:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(part + MISSING)
    pytest.skip(part + MISSING)


def chromium() -> str:
    return need("Chromium", shutil.which("chromium") or shutil.which("chromium-browser"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], object], *, seconds: float = 30, what: str = "it") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def in_memory() -> str | None:
    """A folder for files that stay in memory; None if this machine has none with enough room."""
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() and shutil.disk_usage(folder).free > 4 * 1024**3 else None


class Redis:
    """A Redis server without persistence. It can be stopped and started again."""

    place = None

    def __init__(self, folder: Path) -> None:
        self.program = need("Redis", shutil.which("redis-server"))
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.server = subprocess.Popen([self.program, *options], stdout=subprocess.DEVNULL)
        wait_until(lambda: answers(self.port), what="Redis")

    def stop(self) -> None:
        self.server.kill()
        self.server.wait(10)


class Postgres:
    """A PostgreSQL server with an empty database. Its rows survive a stop."""

    # Faster: a TRUNCATE after a test writes 150 files. Benchmarks use PostgreSQL's default, and a disk.
    durability = "-c fsync=off"
    place = in_memory()

    def __init__(self, folder: Path) -> None:
        self.programs = _postgres_programs()
        self.folder, self.port = folder, free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
        _as_postgres(
            [self.programs / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
        )

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 {self.durability} -k {self.folder}"
        self._control("-o", options, "-w", "-l", self.folder / "log", "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def _control(self, *words: object) -> None:
        _as_postgres([self.programs / "pg_ctl", "-D", self.data, *words])


class PgBouncer:
    """PgBouncer in transaction mode, in front of the PostgreSQL server at ``behind``."""

    POOL_SIZE = 4  # connections per database, fewer than there are clients

    def __init__(self, folder: Path, behind: str) -> None:
        self.program = need("PgBouncer", pgbouncer_program())
        self.port = free_port()
        server = urlsplit(behind)
        self.url = f"postgres://postgres@127.0.0.1:{self.port}{server.path}"
        (folder / "users").write_text('"postgres" ""\n')
        self.settings = folder / "pgbouncer.ini"
        self.settings.write_text(
            f"""
[databases]
* = host={server.hostname} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {folder / "users"}
pool_mode = transaction
default_pool_size = {self.POOL_SIZE}
max_client_conn = 500
idle_transaction_timeout = 30
"""
        )
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)

    def start(self) -> None:
        words = _to_postgres([self.program, "-q", self.settings])
        self.server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        wait_until(lambda: answers(self.port), what="PgBouncer")

    def stop(self) -> None:
        self.server.kill()
        self.server.wait(10)


def pgbouncer_program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@contextmanager
def pgbouncer(behind: str) -> Iterator[str]:
    """The URL of a new PgBouncer in front of the database at ``behind``."""
    with tempfile.TemporaryDirectory() as folder:
        pooler = PgBouncer(Path(folder), behind)
        pooler.start()
        try:
            yield pooler.url
        finally:
            pooler.stop()


@contextmanager
def running(kind: type[Redis | Postgres]) -> Iterator[Redis | Postgres]:
    """A new server of this kind. The caller may stop and start it."""
    with tempfile.TemporaryDirectory(dir=kind.place) as folder:
        server = kind(Path(folder))
        server.start()
        try:
            yield server
        finally:
            if answers(server.port):
                server.stop()


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a new Redis server."""
    with running(Redis) as server:
        yield server.url


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a new PostgreSQL server with an empty database."""
    with running(Postgres) as server:
        yield server.url


def _postgres_programs() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(found) for found in [shutil.which("initdb")] if found
    ]
    return Path(need("PostgreSQL", str(installed[-1]) if installed else None)).parent


def _as_postgres(command: list[object]) -> None:
    subprocess.run(_to_postgres(command), check=True, stdout=subprocess.DEVNULL, cwd="/")


def _to_postgres(command: list[object]) -> list[str]:
    """The command, run as a user that PostgreSQL and PgBouncer accept."""
    words = [str(word) for word in command]
    if os.getuid() == 0:
        words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *words]
    return words


class _MailServer(socketserver.ThreadingTCPServer):
    """Accepts mail on a loopback port, but refuses recipients whose address contains ``refuse``.

    Calls ``taken`` after it has received a mail, before it replies. The reply with the code ``drips`` never
    ends: it comes byte by byte, several a second, until the client leaves.
    """

    daemon_threads = True

    def __init__(self, refuse: str, drips: str) -> None:
        super().__init__(("127.0.0.1", 0), _MailSession)
        self.refuse, self.drips, self.accepted = refuse, drips, list[str]()
        self.taken: Callable[[], object] = lambda: None
        self.port: int = self.server_address[1]


class _MailSession(socketserver.StreamRequestHandler):
    server: _MailServer

    def handle(self) -> None:
        self._say("220 at your service")
        for line in self.rfile:
            word = line.decode().strip()
            if word.upper().startswith("RCPT TO:"):
                self._recipient(word[8:])
            elif word.upper() == "DATA":
                self._say("354 go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                self.server.taken()
                self._say("250 taken")
            elif word.upper() == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 well")

    def _recipient(self, address: str) -> None:
        if self.server.refuse and self.server.refuse in address:
            self._say("550 no such person")
        else:
            self.server.accepted.append(address)
            self._say("250 well")

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the client may have left
            while line.startswith(self.server.drips):
                self.wfile.write(b"2")
                time.sleep(0.1)
            self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_server(*, refuse: str = "", drips: str = "none") -> Iterator[_MailServer]:
    with _MailServer(refuse, drips) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.drips = "none"  # ends the replies that are under way
            server.shutdown()
            thread.join()
