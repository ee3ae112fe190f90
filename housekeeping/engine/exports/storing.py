"""Files in a storage: written, and read back to see whether they are what was written."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeVar

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import InvalidStorageError, Storage, storages

from housekeeping.declared.policies import Policy
from housekeeping.engine.exports.formats import problem_of
from housekeeping.exceptions import ExportFailed

Answer = TypeVar("Answer")
MANIFEST = "manifest.json"
CHUNK = 1024 * 1024


def storage_of(alias: str) -> Storage:
    """The storage that STORAGES calls so. Raises ExportFailed for another alias."""
    try:
        return storages[alias]
    except InvalidStorageError:
        known = ", ".join(storages.backends)
        raise ExportFailed(f"STORAGES has no {alias!r}, only {known}.") from None


def problems(policy: Policy) -> list[str]:
    """Why nothing can be exported as the policy says, whatever its rows are."""
    export = policy.exports
    if export is None:
        return []
    found = [] if export.storage in storages.backends else [f"STORAGES has no {export.storage!r}"]
    return [*found, *filter(None, [problem_of(export.format)])]


def listed(alias: str, folder: str) -> tuple[list[str], list[str]]:
    """The folders and the files in a folder of a storage."""
    storage = storage_of(alias)
    try:
        directories, files = storage.listdir(folder)
    except Exception as error:  # a storage may raise anything
        text = f"{type(error).__name__}: {error}"
        raise ExportFailed(
            f"The folder {folder!r} of the storage {alias!r} can't be read ({text})."
        ) from error
    return sorted(directories), files


def digest_of(file: Any) -> tuple[str, int]:
    """The SHA-256 of a file's content, and its bytes."""
    found, size = hashlib.sha256(), 0
    while part := file.read(CHUNK):
        found.update(part)
        size += len(part)
    return found.hexdigest(), size


class Folder:
    """A folder of one export in a storage. ``written``: called with the name of each file, before it is."""

    def __init__(self, alias: str, name: str, written: Callable[[str], None] = lambda name: None) -> None:
        self.alias, self.name, self.written = alias, name, written
        self.storage = storage_of(alias)

    @contextmanager
    def local(self) -> Iterator[IO[bytes]]:
        """A file of this machine, which is gone afterwards."""
        with tempfile.TemporaryFile(prefix="housekeeping-export-") as file:
            yield file

    def put(self, name: str, file: IO[bytes]) -> dict[str, Any]:
        """Send a file, and compare what the storage has with it. Raises ExportFailed if it differs."""
        file.seek(0)
        digest, size = digest_of(file)
        file.seek(0)
        wanted = f"{self.name}/{name}"
        self.written(wanted)  # before it is: no crash leaves a file that nobody knows
        stored = self._ask("written to", lambda: self.storage.save(wanted, File(file)))
        if stored != wanted:
            self.written(stored)
        if self.digest(stored) != (digest, size):
            raise ExportFailed(f"The storage {self.alias!r} has other bytes in {stored} than were written.")
        return {"file": stored, "bytes": size, "sha256": digest}

    def put_manifest(self, facts: dict[str, Any]) -> dict[str, Any]:
        return self.put(MANIFEST, ContentFile(json.dumps(facts, indent=1, ensure_ascii=False).encode()))

    def content(self, name: str) -> bytes:
        def read() -> bytes:
            with self.storage.open(name) as file:
                content: bytes = file.read()
            return content

        return self._ask("read from", read)

    def digest(self, name: str) -> tuple[str, int]:
        """The SHA-256 of a file, and its bytes."""

        def read() -> tuple[str, int]:
            with self.storage.open(name) as file:
                return digest_of(file)

        return self._ask("read from", read)

    @contextmanager
    def fetched(self, name: str, written: tuple[str, int]) -> Iterator[IO[bytes]]:
        """A copy of a file on this machine, fetched once. ``written``: the SHA-256 and the bytes that it must
        have, otherwise ExportFailed is raised."""

        def fetch(into: IO[bytes]) -> None:
            with self.storage.open(name) as file:
                shutil.copyfileobj(file, into, CHUNK)

        with self.local() as copy:
            self._ask("read from", lambda: fetch(copy))
            copy.seek(0)
            if digest_of(copy) != written:
                raise ExportFailed(f"{name} is not what was written: its digest is another one.")
            copy.seek(0)
            yield copy

    def _ask(self, doing: str, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except Exception as error:  # a storage may raise anything
            text = f"{type(error).__name__}: {error}"
            raise ExportFailed(f"The storage {self.alias!r} could not be {doing} ({text}).") from error


def remove(alias: str, names: list[str]) -> None:
    """Delete files of an export that did not get whole. Raises ExportFailed if the storage refuses that."""
    storage = storage_of(alias)
    for name in names:
        try:
            storage.delete(name)
        except FileNotFoundError:
            continue  # some storages say so; a kill may have come before it was written
        except Exception as error:  # a storage may raise anything
            raise ExportFailed(
                f"The storage {alias!r} could not delete {name} ({type(error).__name__}: {error})."
            ) from error
