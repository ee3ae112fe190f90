"""The snippets of the docs, and a project in which they are carried out from top to bottom."""

import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.processes import ROOT
from tests.services import answers, free_port, wait_until

DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial/first-purge.md"
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a reader does before the first step, and what a test's environment has.
INSTALLS = ("python -m venv", "python -m pip install")
# These run until they are stopped, beside the next steps.
SERVERS = {
    "python manage.py runserver": "Starting development server",
    "python manage.py run_huey": "started",
}


@dataclass(frozen=True)
class Snippet:
    """``language``: as after the fence. ``file``: where its first line, or its caption, says it belongs."""

    language: str
    text: str
    file: str = ""


def pages() -> list[Path]:
    return sorted(DOCS.rglob("*.md"))


def snippets(text: str) -> list[Snippet]:
    return [_snippet(language, body) for language, body in FENCE.findall(text)]


def _snippet(language: str, body: str) -> Snippet:
    if language.startswith("{literalinclude}"):
        return _included(TUTORIAL.parent / language.split()[1], body)
    file = re.match(r"(?:#|<!--) (\S+\.(?:py|html))\b", body)
    return Snippet(language, body, file[1] if file else "")


def _included(source: Path, body: str) -> Snippet:
    options = {name: value.strip("'") for name, value in re.findall(r"^:([\w-]+): (.*)$", body, re.MULTILINE)}
    if "start-at" not in options:
        return Snippet(options["language"], source.read_text())
    lines = source.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if options["start-at"] in line)
    last = next(n for n, line in enumerate(lines[first:], first) if options["end-at"] in line)
    return Snippet(options["language"], "".join(lines[first : last + 1]), options["caption"])


@dataclass
class Project:
    """A Django project in ``folder``, and a reader who follows a page there."""

    folder: Path
    database: Path
    variables: dict[str, str] = field(default_factory=dict)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    printed: str = ""

    def follow(self, text: str) -> None:
        for snippet in snippets(text):
            if snippet.language in ("python", "html") and snippet.file:
                self._write(snippet)
            elif snippet.language == "sh":
                self.printed = "".join(self._carry_out(line) for line in _lines(snippet.text))
            elif snippet.language == "text":
                self._compare(snippet.text)

    def _write(self, snippet: Snippet) -> None:
        file = self.folder / snippet.file
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as stream:
            stream.write(f"\n\n{snippet.text}")

    def _carry_out(self, line: str) -> str:
        if line.startswith(INSTALLS):
            return ""
        if line in SERVERS:
            return self._serve(line)
        done = subprocess.run(
            ["sh", "-euc", line],
            cwd=self.folder,
            env=self._environment(line),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        return done.stdout

    def _serve(self, line: str) -> str:
        port = free_port()
        words = [sys.executable, *line.split()[1:]]
        words += [f"127.0.0.1:{port}", "--noreload"] if "runserver" in line else []
        log = self.folder / f"{words[2]}.log"
        with log.open("wb") as stream:
            environment = self._environment(line)
            self.servers.append(
                subprocess.Popen(words, cwd=self.folder, env=environment, stdout=stream, stderr=stream)
            )
        up = (lambda: answers(port)) if "runserver" in line else (lambda: SERVERS[line] in log.read_text())
        wait_until(up, what=line)
        return ""

    def _environment(self, line: str) -> dict[str, str]:
        """PATH finds this Python. ``$RUN``, ``$PLAN`` and ``$UNDO`` are the newest runs of their kind."""
        told = os.environ | {"PYTHONPATH": str(ROOT)} | self.variables
        told["PATH"] = f"{Path(sys.executable).parent}:{told['PATH']}"
        for name in ("DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE", "TEST_DATABASE"):
            told.pop(name, None)
        kinds = {
            "RUN": "NOT dry_run AND undo_of_id IS NULL",
            "PLAN": "dry_run",
            "UNDO": "undo_of_id IS NOT NULL",
        }
        return told | {name: self._newest(kind) for name, kind in kinds.items() if f"${name}" in line}

    def _newest(self, kind: str) -> str:
        [[key]] = self.ask(f"SELECT id FROM housekeeping_run WHERE {kind} ORDER BY requested_at DESC LIMIT 1")
        return str(UUID(key))

    def ask(self, query: str) -> list[tuple]:
        with sqlite3.connect(self.database) as database:
            return database.execute(query).fetchall()

    def _compare(self, text: str) -> None:
        pattern = re.escape(text.strip()).replace("…", ".*")
        assert re.search(pattern, self.printed, re.DOTALL), (
            f"expected\n{text}\nbut it printed\n{self.printed}"
        )

    def end(self) -> None:
        for server in self.servers:
            server.terminate()
            server.wait(40)


def _lines(script: str) -> list[str]:
    """The commands of a script, one a line, without comments that stand alone."""
    joined = script.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
