"""Looks for a text everywhere: in all columns of all tables, in all archives and plans, and in the queue.

Sessions and tokens are decoded.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from django.contrib.sessions.models import Session
from django.db import connection
from huey.contrib.djhuey import HUEY

from housekeeping.engine import unpacking
from housekeeping.models import Archive, PlannedRows


def everywhere() -> dict[str, str]:
    """Everything that is stored, as text, by the place where it is."""
    found = dict(_tables())
    for session in Session.objects.all():
        found[f"session {session.pk}"] = _text(session.get_decoded())
    for archived in Archive.objects.all():
        found[f"archive {archived.pk} of {archived.model}"] = _text(unpacking.unpacked(archived.payload))
    for planned in PlannedRows.objects.all():
        found[f"plan {planned.pk}"] = _text(unpacking.unpacked(planned.payload))
    for key, data in HUEY.storage.result_items().items():
        found[f"result {key}"] = _text(bytes(data))
    for data in [*HUEY.storage.enqueued_items(), *HUEY.storage.scheduled_items()]:
        found[f"message {data[:20]!r}"] = _text(bytes(data))
    return found


def of(*texts: str, besides: Iterable[str] = ()) -> list[str]:
    """The places where one of the texts stands, in any case, but not as a part of what is ``besides``."""
    forms = {form.casefold() for text in texts for form in (text, json.dumps(text)[1:-1])}
    return [
        f"{place}: {form}"
        for place, content in everywhere().items()
        for form in forms
        if form in _without(content.casefold(), besides)
    ]


def _without(content: str, others: Iterable[str]) -> str:
    for other in others:
        content = content.replace(other.casefold(), "")
    return content


def _tables() -> Any:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            for number, row in enumerate(cursor.fetchall()):
                for name, value in zip(names, row, strict=True):
                    yield f"{table}.{name} {number}", _text(value)


def _text(value: Any) -> str:
    """A value as text, with the contents of the tokens in it."""
    text = _plain(value)
    tokens = re.findall(r"eyJ[\w-]+\.(eyJ[\w-]+)", text)
    return text + "".join(
        base64.urlsafe_b64decode(f"{token}===").decode(errors="replace") for token in tokens
    )


def _plain(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("latin-1") + bytes(value).decode(errors="replace")
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
