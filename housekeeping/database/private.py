"""Files that only their owner may read: databases and logs name people."""

import contextlib
import logging.handlers
import os
import stat
from pathlib import Path
from typing import Any

OWNER_ALONE = 0o600
OTHERS = 0o007


def make(file: str | Path) -> None:
    """Create an empty file that only its owner may read, or :func:`tighten` an existing one.

    Follows links. Ignores errors of the system: they come up again when the file is opened.
    """
    file = os.path.realpath(file)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ALONE))
    except FileExistsError:
        tighten(file)
    except OSError:
        pass


def make_sqlite(file: str | Path) -> None:
    """As :func:`make`, including the other files of a database that SQLite has open."""
    file = os.path.realpath(file)  # SQLite puts the others next to the real file
    make(file)
    for beside in ("-wal", "-shm"):  # new ones get the mode of the database
        tighten(f"{file}{beside}")


def tighten(file: str | Path) -> None:
    """Restrict a file of ours that everybody on the machine may read, which is the usual umask's default.

    A mode that excludes others, such as 0640, was chosen by somebody and stays.
    """
    with contextlib.suppress(OSError):
        status = os.stat(file)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if is_ours and status.st_mode & OTHERS:
            os.chmod(file, OWNER_ALONE)


class LogFile(logging.handlers.WatchedFileHandler):
    """A log file that only its owner may read. logrotate may move it away: a new one is created."""

    def __init__(self, filename: str | Path, **options: Any) -> None:
        make(filename)
        super().__init__(filename, **options)

    def reopenIfNeeded(self) -> None:  # noqa: N802
        if not os.path.exists(self.baseFilename):
            make(self.baseFilename)
        super().reopenIfNeeded()
