"""Moments in a run's JSON, for templates."""

from datetime import datetime
from typing import Any

from django import template

from housekeeping.database import stored

register = template.Library()


@register.filter
def moment(text: Any) -> datetime | None:
    """The datetime that ISO 8601 text stands for; None for anything else."""
    return stored.moment(text)


@register.filter
def pairs(facts: Any) -> list[tuple[str, Any]]:
    """The names and values of an object. ``facts.items`` would be a value that is named so."""
    return list(facts.items()) if isinstance(facts, dict) else []
