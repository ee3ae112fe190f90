"""Moments in a run's JSON, for templates."""

from datetime import datetime

from django import template

register = template.Library()


@register.filter
def moment(text: str | None) -> datetime | None:
    """The datetime that ISO 8601 text stands for; None stays None."""
    return datetime.fromisoformat(text) if text else None
