"""Policies: which rows are expired, and for how long rows are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Model, QuerySet


@dataclass(frozen=True)
class Policy:
    """Rows that are kept for ``retention`` and deleted after it.

    ``rows(cutoff)`` gives the rows that had expired at ``cutoff``, as an unsliced
    queryset of one model. A policy without an age (``retention`` None) is handed the
    run's own moment as its cutoff.
    """

    name: str
    rows: Callable[[datetime], QuerySet[Any]]
    retention: timedelta | None = None

    @property
    def model(self) -> type[Model]:
        return self.rows(datetime.max.replace(tzinfo=UTC)).model

    def __str__(self) -> str:
        return f"{self.name} older than {self.retention.days} days" if self.retention else self.name

    def cutoff(self, as_of: datetime) -> datetime:
        """The moment before which rows are expired, for a run whose moment is ``as_of``."""
        return as_of - (self.retention or timedelta())
