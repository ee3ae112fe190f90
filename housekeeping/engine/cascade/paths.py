"""The rows below a row as lookup paths, for cascades that form a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Model

from housekeeping.engine.cascade.edges import Link, links


def walk(model: type[Model], prefix: str = "", seen: tuple[Any, ...] = ()) -> Iterator[tuple[Link, str]]:
    """Each link that a delete of ``model``'s rows follows, with the lookup path that leads back to them.

    A link back to a table on its own path, which :func:`problems` refuses, is yielded but not followed.
    """
    for link in links(model):
        path = f"{link.field.name}__{prefix}" if prefix else link.field.name
        yield link, path
        if link.is_cascade and link.model not in (*seen, model):
            yield from walk(link.model, path, (*seen, model))
