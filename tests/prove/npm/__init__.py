"""Programs from npm, pinned by the files beside this one and installed in build/npm."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.processes import ROOT
from tests.services import need

PINNED = Path(__file__).parent
INSTALLED = ROOT / "build/npm"


def package(name: str) -> Path:
    """The folder of an installed package. All are installed first, unless they are already."""
    npm = need("npm", shutil.which("npm"))
    lock = (PINNED / "package-lock.json").read_bytes()
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)  # the workers of pytest share the folder
        done = INSTALLED / "done"
        if not done.exists() or done.read_bytes() != lock:
            for file in ("package.json", "package-lock.json"):
                shutil.copy(PINNED / file, INSTALLED)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=INSTALLED, check=True, capture_output=True, timeout=600)
            done.write_bytes(lock)
    return INSTALLED / "node_modules" / name
