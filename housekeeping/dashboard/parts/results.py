"""The result of a task as lines of a table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from housekeeping.reading import words


@dataclass(frozen=True)
class ResultRow:
    """A line of the table. ``is_head``: the title of the lines below it."""

    name: str
    value: str = ""
    is_head: bool = False


def rows(result: Mapping[str, Any]) -> list[ResultRow]:
    rows, groups = [], []
    for name, value in result.items():
        if isinstance(value, Mapping):
            if not value:
                continue
            groups.append(ResultRow(_label(name), is_head=True))
            groups += [ResultRow(_label(key), _written(each)) for key, each in value.items()]
        else:
            rows.append(ResultRow(_label(name), _written(value)))
    return rows + groups


def _label(key: str) -> str:
    return key if "." in key or not key else gettext(key.replace("_", " "))


def _written(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return words.number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
