"""Rows that the database has packed, in Python: for what reads single values, or leaves rows out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import zstandard


def unpacked(payload: bytes | memoryview) -> bytes:
    """A payload as it was before it was compressed. Raises ZstdError unless it is whole."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    content = frame.decompress(bytes(payload))
    if not frame.eof:
        raise zstandard.ZstdError("it is cut short")
    if frame.unused_data:
        raise zstandard.ZstdError("something follows its end")
    return content


def json_rows(packed: bytes) -> list[Any]:
    """The rows that SQLite packed. A text that is not UTF-8, which SQLite accepts, keeps its bytes."""
    rows: list[Any] = json.loads(packed.decode(errors="surrogateescape"))
    return rows


def copied_rows(packed: bytes) -> list[bytes]:
    """The rows that PostgreSQL packed, each as a line of COPY."""
    return packed.splitlines(keepends=True)


def number_of_rows(packed: bytes, vendor: str) -> int:
    return packed.count(b"\n") if vendor == "postgresql" else len(json_rows(packed))


def keyed(rows: Iterable[Any], vendor: str) -> Iterator[tuple[str, Any]]:
    """Each row, as ``vendor`` packed it, with its key as text."""
    if vendor == "postgresql":
        for row in rows:
            yield _uncopied(row.rstrip(b"\n").split(b"\t", 1)[0]), row
    else:
        for row in rows:
            yield str(row[0]), row


def values_in(row: Any) -> list[Any]:
    """The values of a row, as they are packed."""
    return row.rstrip(b"\n").split(b"\t") if isinstance(row, bytes) else row


def text_of(value: Any) -> str:
    """A packed value as text."""
    return _uncopied(value) if isinstance(value, bytes) else str(value)


# How COPY writes what would end a column or a row. A backslash before any other character stands for it.
COPIED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _uncopied(value: bytes) -> str:
    return re.sub(rb"\\(.)", lambda found: COPIED.get(found[1], found[1]), value).decode()


def row_of(values: list[Any], vendor: str) -> Any:
    """A row with these packed values."""
    return b"\t".join(values) + b"\n" if vendor == "postgresql" else values


def joined(rows: list[Any], vendor: str) -> bytes:
    """Rows packed again, as ``vendor`` packs them."""
    if vendor == "postgresql":
        return b"".join(rows)
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="surrogateescape")
