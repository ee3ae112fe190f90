"""Real processes of the site, such as consumers and the development server, each in its own group."""

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
    """The DATABASE_URL with which another process uses the tests' database."""
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:////{str(facts['NAME']).lstrip('/')}"
    return f"postgres://{facts['USER']}@{facts['HOST']}:{facts['PORT']}/{facts['NAME']}"


def is_process(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass(frozen=True)
class Installed:
    """The code of one version of the site, and the Python with its requirements."""

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
        """Kill the whole process group, in any state."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(10)


class Processes:
    """Starts processes for a test, and ends them all afterwards."""

    def __init__(self, folder: Path, installed: Installed = Installed(), **environment: str) -> None:
        # These tests purge nearly all their rows, so switch the brake off. It has its own tests.
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
        """Start this many consumers at the same time, and wait until they are up."""
        started = [self.start("run_huey", *options, **environment) for _ in range(number)]
        for process in started:
            process.says("Huey consumer started")
        return started

    def command(self, *words: str, exit: int = 0, **environment: str) -> str:
        """Run a command until it ends with the status ``exit``. Returns its output."""
        process = self.start(*words, **environment)
        assert process.wait(60) == exit, process.output
        return process.output

    def shell(self, code: str, **environment: str) -> str:
        """Run ``code`` in a process of the site. Returns its output."""
        return self.command("shell", "--no-imports", "-c", code, **environment)

    def site(self, *options: str, **environment: str) -> tuple[Process, str]:
        """Start the development server. Returns it with its address."""
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
