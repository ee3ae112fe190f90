"""The real parts that tests need: found, started on free loopback ports, stopped again."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

missing: set[str] = set()


def need(part: str, path: str | None) -> str:
    """``path``, or skip the test where the machine lacks the part; in CI that is a failure."""
    if path:
        return path
    missing.add(part)
    if os.environ.get("CI") == "true":
        pytest.fail(f"{part} is missing on this machine")
    pytest.skip(f"{part} is missing on this machine")


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


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis server of our own."""
    program = need("Redis", shutil.which("redis-server"))
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: answers(port), what="Redis")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(10)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, with an empty database."""
    programs = _postgres_programs()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
        _as_postgres([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"])
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
        _as_postgres([programs / "pg_ctl", "-D", data, "-o", options, "-w", "-l", f"{folder}/log", "start"])
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            _as_postgres([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"])


def _postgres_programs() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(found) for found in [shutil.which("initdb")] if found
    ]
    return Path(need("PostgreSQL", str(installed[-1]) if installed else None)).parent


def _as_postgres(command: list[object]) -> None:
    words = [str(word) for word in command]
    if os.getuid() == 0:
        words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *words]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd="/")
