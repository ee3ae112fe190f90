"""Charts for templates: numbers to coordinates."""

from collections.abc import Sequence
from datetime import timedelta

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat

from housekeeping.dashboard import charts
from housekeeping.models import in_words
from housekeeping.reading.overview import Overview

register = template.Library()


@register.filter
def sparkline(numbers: Sequence[int]) -> str:
    return charts.sparkline(numbers)


@register.filter
def timeline_lanes(overview: Overview) -> list[charts.Lane]:
    return charts.timeline(overview.timeline, overview.now)


@register.filter
def in_unit(number: float, unit: str) -> str:
    """A chart's number as a person reads it."""
    if unit == "bytes":
        return str(filesizeformat(number))
    return in_words(timedelta(milliseconds=number)) if unit == "ms" else str(intcomma(int(number)))


@register.filter
def unlocalised(number: float) -> str:
    """A coordinate: with a point, whatever the language."""
    return str(number)
