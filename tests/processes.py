"""Real processes of the site: consumers, the development server. Each in a group of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from tests.services import answers, free_port, wait_until

ROOT = Path(__file__).parent.parent


def database_url() -> str:
    """The tests' own database, as DATABASE_URL says it to another process."""
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:////{str(facts['NAME']).lstrip('/')}"
    return f"postgres://{facts['USER']}@{facts['HOST']}:{facts['PORT']}/{facts['NAME']}"


def is_process(pid: int) -> bool:
    """Neither gone nor a zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass(frozen=True)
class Installed:
    """The code of one version of the site, and the Python that has its requirements."""

    folder: Path = ROOT
    python: Path = Path(sys.executable)


class Process:
    """A ``manage.py`` command, with its output in a file."""

    def __init__(
        self, *words: str, log: Path, installed: Installed = Installed(), **environment: str
    ) -> None:
        self.log = log
        with log.open("wb") as stream:
            self.child = subprocess.Popen(
                [installed.python, "manage.py", *words],
                cwd=installed.folder,
                env=os.environ | {"DATABASE_URL": database_url()} | environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def is_running(self) -> bool:
        return self.child.poll() is None

    def says(self, text: str, *, seconds: float = 30) -> None:
        """Wait until the output contains ``text``."""

        def said() -> bool:
            assert self.is_running or text in self.output, self.output
            return text in self.output

        wait_until(said, seconds=seconds, what=f"{text!r} in {self.log.name}")

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        return self.child.wait(seconds)

    def kill(self) -> None:
        """End the whole group, whatever state it is in."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(10)


class Processes:
    """Starts processes for a test and ends all of them with it."""

    def __init__(self, folder: Path, installed: Installed = Installed(), **environment: str) -> None:
        # Nearly all that these tests make is purged, on purpose: the brake has tests of its own.
        self.folder, self.environment = folder, {"HOUSEKEEPING_BRAKE_SHARE": "1"} | environment
        self.installed = installed
        self.started: list[Process] = []

    def start(self, *words: str, **environment: str) -> Process:
        log = self.folder / f"{words[0]}-{len(self.started)}.log"
        process = Process(*words, log=log, installed=self.installed, **(self.environment | environment))
        self.started.append(process)
        return process

    def consumer(self, *options: str, **environment: str) -> Process:
        [process] = self.consumers(1, *options, **environment)
        return process

    def consumers(self, number: int, *options: str, **environment: str) -> list[Process]:
        """So many consumers, starting side by side."""
        started = [self.start("run_huey", *options, **environment) for _ in range(number)]
        for process in started:
            process.says("Huey consumer started")
        return started

    def command(self, *words: str, exit: int = 0, **environment: str) -> str:
        """Run a command to its end, which is the exit status ``exit``, and return what it prints."""
        process = self.start(*words, **environment)
        assert process.wait(60) == exit, process.output
        return process.output

    def shell(self, code: str, **environment: str) -> str:
        """Run ``code`` in a process of the site, and return what it prints."""
        return self.command("shell", "--no-imports", "-c", code, **environment)

    def site(self, *options: str, **environment: str) -> tuple[Process, str]:
        """The development server, and its address."""
        port = free_port()
        process = self.start("runserver", f"127.0.0.1:{port}", *options, **environment)

        def up() -> bool:
            assert process.is_running, process.output
            return answers(port)

        wait_until(up, what="the site")
        return process, f"http://127.0.0.1:{port}"

    def end(self) -> None:
        for process in self.started:
            process.kill()
