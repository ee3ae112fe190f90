"""Reads the files of an export, each only if it is what was written."""

import zlib
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS

from housekeeping.declared.steps import no_checkpoint
from housekeeping.engine.exports.formats import FORMATS, Row, problem_of
from housekeeping.engine.exports.storing import Folder
from housekeeping.engine.exports.values import Field
from housekeeping.exceptions import ExportFailed

LOOK_EACH = 1_000  # rows
UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    OSError,
    zlib.error,
)
"""What is raised for content that is none of the format's, or for values that are none of a column's."""


def database_of(manifest: dict[str, Any]) -> str:
    """That the rows came from. The first exports were all of the default one."""
    return str(manifest.get("database", DEFAULT_DB_ALIAS))


def rows_in(
    folder: Folder,
    form: str,
    table: dict[str, Any],
    fields: list[Field],
    checkpoint: Callable[[], None] = no_checkpoint,
) -> list[Row]:
    """The rows of one file. ``table``: what the manifest says of it. Raises ExportFailed if it is another, or
    can't be read here."""
    name, found = f"{folder.name}/{table['file']}", list[Row]()
    if problem := problem_of(form):
        raise ExportFailed(f"{name} can't be read: {problem}.")
    try:
        with folder.fetched(name, (table["sha256"], table["bytes"])) as file:
            for number, row in enumerate(FORMATS[form].read(file, fields)):
                if number % LOOK_EACH == 0:
                    checkpoint()
                found.append(row)
    except (*UNREADABLE, ValidationError) as error:
        raise ExportFailed(f"{name} can't be read ({type(error).__name__}: {error}).") from error
    if len(found) != table["rows"]:
        raise ExportFailed(f"{name} has {len(found):,} rows instead of {table['rows']:,}.")
    return found
