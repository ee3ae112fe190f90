"""Wrong wall clocks for real processes. A preloaded library shifts the time that they read."""

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

from tests.services import need

SOURCE = Path(__file__).with_name("shifted_clock.c")


class Clock:
    """A clock that is wrong by ``shift``, which can change while processes read it."""

    def __init__(self, folder: Path, shift: timedelta = timedelta()) -> None:
        self.library, self.file = _library(folder), folder / f"clock-{os.urandom(4).hex()}"
        self.set(shift)

    def set(self, shift: timedelta) -> None:
        """Set how far the clock is ahead of the machine's."""
        new = self.file.with_suffix(".new")
        new.write_text(str(shift.total_seconds()))
        new.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that uses this clock."""
        return {"LD_PRELOAD": str(self.library), "SHIFTED_CLOCK": str(self.file)}


def _library(folder: Path) -> Path:
    library = folder / "shifted_clock.so"
    if not library.exists():
        compiler = need("gcc", shutil.which("cc") or shutil.which("gcc"))
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", library, SOURCE], check=True)
    return library
