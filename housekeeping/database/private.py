"""Files that their owner alone may read: databases and logs name people."""

import contextlib
import logging.handlers
import os
import stat
from pathlib import Path
from typing import Any

OWNER_ALONE = 0o600
OTHERS = 0o007


def make(file: str | Path) -> None:
    """Make an empty file that its owner alone may read, or :func:`tighten` the one that is there.
    Where a link leads to is made, too.

    What the system refuses is left: whoever opens the file says so.
    """
    file = os.path.realpath(file)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ALONE))
    except FileExistsError:
        tighten(file)
    except OSError:
        pass


def make_sqlite(file: str | Path) -> None:
    """As :func:`make`, with the files that SQLite keeps beside a database while it is open."""
    file = os.path.realpath(file)  # which is where SQLite keeps the others
    make(file)
    for beside in ("-wal", "-shm"):  # new ones take the mode of the database
        tighten(f"{file}{beside}")


def tighten(file: str | Path) -> None:
    """Close a file of ours that everybody on the machine may read, as a usual umask has it.

    A mode that leaves others out, such as 0640, was set by somebody and stays.
    """
    with contextlib.suppress(OSError):
        status = os.stat(file)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if is_ours and status.st_mode & OTHERS:
            os.chmod(file, OWNER_ALONE)


class LogFile(logging.handlers.WatchedFileHandler):
    """A log that its owner alone may read. logrotate may move it away: a new one is made."""

    def __init__(self, filename: str | Path, **options: Any) -> None:
        make(filename)
        super().__init__(filename, **options)

    def reopenIfNeeded(self) -> None:  # noqa: N802
        if not os.path.exists(self.baseFilename):
            make(self.baseFilename)
        super().reopenIfNeeded()
