"""The formats of exported files: a table's rows, compressed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import IO, Any, Protocol

from django.conf import settings
from django.db import models

from housekeeping.engine.exports.values import Field, as_json, from_json, may_be_either

Row = tuple[Any, ...]
"""The values of a row as its model has them, in the order of the fields."""


class Format(Protocol):
    suffix: str

    def write(self, file: IO[bytes], fields: list[Field], rows: Iterable[tuple[Row, bytes]]) -> None:
        """Write rows, each given with its line of JSON."""

    def read(self, file: IO[bytes], fields: list[Field]) -> Iterator[Row]:
        """The rows of a file with these columns. Raises ValueError if it is no such file."""


class Jsonl:
    """A line of JSON for each row, compressed with gzip: what every tool reads."""

    suffix = "jsonl.gz"

    def write(self, file: IO[bytes], fields: list[Field], rows: Iterable[tuple[Row, bytes]]) -> None:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0, filename="") as packed:
            for _, line in rows:
                packed.write(line)

    def read(self, file: IO[bytes], fields: list[Field]) -> Iterator[Row]:
        with gzip.GzipFile(fileobj=file, mode="rb") as packed:
            for line in packed:
                values = json.loads(line.decode(errors="surrogatepass"))
                yield tuple(
                    None
                    if may_be_either(field) and field.attname not in values
                    else from_json(field, values[field.attname])
                    for field in fields
                )


class Parquet:
    """Columns with types, compressed with zstd: what tools for analysis read. Needs pyarrow."""

    suffix = "parquet"
    ROWS = 10_000  # of a row group

    def write(self, file: IO[bytes], fields: list[Field], rows: Iterable[tuple[Row, bytes]]) -> None:
        import pyarrow as pa  # an extra: most sites need none
        import pyarrow.parquet as pq

        kinds = [_type_of(pa, field) for field in fields]
        schema = pa.schema(
            [(field.attname, kind or pa.string()) for field, kind in zip(fields, kinds, strict=True)]
        )
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for part in _parts(rows, self.ROWS):
                columns = [
                    [_plain(field, row[at], is_typed=kind is not None) for row in part]
                    for at, (field, kind) in enumerate(zip(fields, kinds, strict=True))
                ]
                arrays = [
                    pa.array(column, type=one.type) for column, one in zip(columns, schema, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    def read(self, file: IO[bytes], fields: list[Field]) -> Iterator[Row]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        typed = [_type_of(pa, field) is not None for field in fields]
        names = [field.attname for field in fields]
        for batch in pq.ParquetFile(file).iter_batches(batch_size=self.ROWS, columns=names):
            columns = [batch.column(name).to_pylist() for name in names]
            for row in zip(*columns, strict=True):
                yield tuple(
                    value if is_typed or value is None else from_json(field, json.loads(value))
                    for field, value, is_typed in zip(fields, row, typed, strict=True)
                )


def _type_of(pa: Any, field: Field) -> Any:
    """The column's type in a Parquet file; None for a text with the value in JSON."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    kinds: list[tuple[type[Field], Any]] = [
        (models.BooleanField, pa.bool_()),
        (models.IntegerField, pa.int64()),
        (models.FloatField, pa.float64()),
        (models.DateTimeField, pa.timestamp("us", tz="UTC" if settings.USE_TZ else None)),
        (models.DateField, pa.date32()),
        (models.BinaryField, pa.binary()),
        (models.FileField, None),
        (models.CharField, pa.string()),
        (models.TextField, pa.string()),
    ]
    return next((kind for one, kind in kinds if isinstance(field, one)), None)


def _plain(field: Field, value: Any, *, is_typed: bool) -> Any:
    if value is None:
        return None
    if not is_typed:
        return json.dumps(as_json(field, value), ensure_ascii=False)
    return bytes(value) if isinstance(value, memoryview) else value


def _parts(rows: Iterable[tuple[Row, bytes]], size: int) -> Iterator[list[Row]]:
    part: list[Row] = []
    for row, _ in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


FORMATS: dict[str, Format] = {"jsonl": Jsonl(), "parquet": Parquet()}


def problem_of(name: str) -> str:
    """Why this site can't write or read the format; empty if it can."""
    if name == "parquet" and not find_spec("pyarrow"):
        return "the format 'parquet' needs the package pyarrow: pip install pyarrow"
    return ""
