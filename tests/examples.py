"""The examples in README and docs that declare a task. Each is pasted into a copy of the site."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT


def declaring_a_task() -> list[str]:
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [
        block
        for document in documents
        for block in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)
    ]
    # One with imports, or of the tutorial's app, is for a project of its own (tests/prove/test_wheel.py).
    here = [block for block in blocks if not block.startswith("# notes/") and "import " not in block]
    return [block for block in here if "\n@task" in block]


def name_of(example: str) -> str:
    """The name of its task, which is that of its policy. The policy comes first."""
    return re.findall(r'Policy\(\s*"([\w-]+)"', example)[0]


def paste(example: str, folder: Path) -> None:
    """Copy the site to ``folder`` and append the example to its tasks.py."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    there = [name for name in files.stdout.splitlines() if (ROOT / name).is_file()]
    subprocess.run(["cp", "--parents", *there, folder], cwd=ROOT, check=True)
    with (folder / "chat/tasks.py").open("a") as tasks:
        tasks.write(f"\n\n{example}")


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, with a database and a queue in its folder. stdout includes stderr."""
    places = {
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "HUEY_URL": f"sqlite:///{folder}/huey.sqlite3",
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={name: text for name, text in os.environ.items() if name != "TEST_DATABASE"} | places,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
