"""Words for what rows hold, and what the fields of a list's filters show."""

from typing import Any

from django import template
from django.utils.translation import gettext_lazy

from housekeeping.dashboard import act_lines, wording
from housekeeping.dashboard.filters import CAUSES, STATUSES, Filters
from housekeeping.declared.triggers import Trigger

register = template.Library()
_WORDS: dict[str, Any] = {str(key): text for words in (STATUSES, CAUSES) for key, text in words.items()}
_WORDS["next"] = gettext_lazy("next")


@register.filter
def word(value: str) -> Any:
    """A status or cause in words; anything else as it is."""
    return _WORDS.get(value, value)


@register.filter
def deed(what: str) -> Any:
    """An act in words."""
    return act_lines.WORDS.get(what, what)


@register.filter
def declared(text: str) -> str:
    return wording.declared(text)


@register.filter
def described(trigger: Trigger) -> str:
    return wording.described(trigger)


@register.filter
def choices(filters: Filters, name: str) -> list[tuple[str, Any]]:
    return filters.choices(name)


@register.filter
def label(filters: Filters, name: str) -> Any:
    return filters.fields[name].label


@register.filter
def shown(filters: Filters, name: str) -> str:
    """What stands in the filter's field."""
    return filters.shown[name]


@register.filter
def split(text: str) -> list[str]:
    return text.split()
