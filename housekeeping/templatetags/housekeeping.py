"""``{% load housekeeping %}``: the filters and tags of our templates.

They are in one library with the name of the app, because all installed apps share one list of libraries, and
a project may have its own ``words`` or ``charts``. ``intcomma`` is here so that a project doesn't need
``django.contrib.humanize``.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.template import Context, RequestContext
from django.template.base import Parser, Token
from django.template.defaultfilters import filesizeformat
from django.templatetags.tz import do_timezone
from django.utils import timezone
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from housekeeping.dashboard import act_lines, answers, wording, zones
from housekeeping.dashboard.filters import CAUSES, STATUSES, Filters
from housekeeping.dashboard.parts import charts
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.dashboard.terms import TERMS
from housekeeping.database import stored
from housekeeping.declared.policies import Policy
from housekeeping.models import in_words
from housekeeping.reading import ends, words

register = template.Library()
register.filter(intcomma)
register.filter("declared", wording.declared)
register.filter("described", wording.described)
register.filter("end", ends.of)
register.filter("in_rows", words.rows)
register.filter("kept", words.kept)
register.filter("stays", words.stays)
register.filter("put_off", wording.put_off)
register.filter("result_of", wording.result)
register.filter("says", ends.told)
register.filter("skipped", wording.skipped)
register.filter("title_of", wording.title_of)

# --- Words ------------------------------------------------------------------------------------

_WORDS: dict[str, Any] = {str(key): text for known in (STATUSES, CAUSES) for key, text in known.items()}
_WORDS |= {
    "next": gettext_lazy("next"),
    "p50": gettext_lazy("median"),
    "p95": gettext_lazy("95th percentile"),
}


@register.filter
def word(value: str) -> Any:
    """A status or cause in words. Other text stays as it is."""
    return _WORDS.get(value, value)


@register.filter("ends")
def ends_of(policy: Policy) -> list[dict[str, Any]]:
    """If the rows of a policy stay: the columns with the values that they get, and which rows are done."""
    one = policy.anonymises
    return [{"columns": ends.columns(one), "done": ends.done(one)}] if one else []


@register.filter
def act_in_words(what: str) -> Any:
    """An act in words."""
    return act_lines.WORDS.get(what, what)


# In place of Django's own filter: its formats are the same in every language.
@register.filter("date", expects_localtime=True)
def date(at: Any, pattern: str) -> str:
    return wording.date(at, pattern) if at else ""


@register.filter
def megabytes(size: float) -> str:
    """``0.3 MB``, of a million bytes each: as HOUSEKEEPING_ARCHIVE_BUDGET_MB."""
    number = size / 1_000_000
    return f"{words.number(round(number, 1) if 0 < number < 10 else round(number))} MB"


@register.filter
def split(text: str) -> list[str]:
    return text.split()


# --- The fields of a list's filters -----------------------------------------------------------


@register.filter
def choices(filters: Filters, name: str) -> list[tuple[str, Any]]:
    return filters.choices(name)


@register.filter
def label(filters: Filters, name: str) -> Any:
    return filters.fields[name].label


@register.filter
def shown(filters: Filters, name: str) -> str:
    """The text in the filter's field."""
    return filters.shown[name]


@register.simple_tag(takes_context=True)
def is_zone_fixed(context: RequestContext) -> bool:
    """Has the project activated a time zone of its own, so that the browser's does not count?"""
    return zones.is_fixed(context.request)


@register.filter
def last_day(until: datetime | None) -> str:
    """The day on which a hold ends, for its field, which is read in TIME_ZONE."""
    return timezone.localdate(until, timezone.get_default_timezone()).isoformat() if until else ""


@register.inclusion_tag("housekeeping/_term.html")
def term(name: str) -> dict[str, Any]:
    """A question mark that explains one of the product's words. Once on a page for each word."""
    return {"id": name.replace(" ", "-"), "text": TERMS[name]}


# --- Answers to acts --------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def answer(context: RequestContext, group: str = "", name: Any = "") -> SafeString:
    """The place of answers to acts: empty without one. ``name``: which one of a group of places it is.

    Without a name, the place is also that of the group's places which are gone; without a group, of all that
    the page has not shown before.
    """
    request = cast(HtmxHttpRequest, context.request)
    place = f"{group}-{name}" if name else group
    if name:
        told = answers.take(request, place)
    else:
        told = answers.take_of(request, group) if group else answers.take_placed(request)
    if not told:
        return format_html('<p class="answer" id="answer-{}" role="status" hx-ignore></p>', place or "rest")
    # Where a page has been loaded, it leads the focus and the eye there.
    html = '<p class="answer" id="answer-{}" data-level="{}" role="status" hx-ignore tabindex="-1"{}>{}</p>'
    focus = SafeString("" if request.htmx else " autofocus")
    text = "\n".join(str(message) for message in told)
    return format_html(html, place or "rest", told[-1].level_tag, focus, text)


@register.tag
def notices(parser: Parser, token: Token) -> "Notices":
    """``{% notices %}…{% endnotices %}``: above the content, the messages that no place in it has shown.

    With ``fragment``, only where the content is a fragment for htmx, without its page.
    """
    content = parser.parse(("endnotices",))
    parser.delete_first_token()
    return Notices(content, is_fragment="fragment" in token.split_contents())


class Notices(template.Node):
    def __init__(self, content: template.NodeList, *, is_fragment: bool) -> None:
        self.nodelist, self.is_fragment = content, is_fragment

    def render(self, context: Context) -> SafeString:
        content, request = self.nodelist.render(context), getattr(context, "request", None)
        if request is None:
            return content
        is_htmx = getattr(request, "htmx", False)
        if self.is_fragment and not is_htmx:
            return content
        html = '<p class="notice answer" data-level="{}" role="status" tabindex="-1" hx-ignore{}>{}</p>\n'
        rest = answers.take_rest(request)
        # An answer to an act leads the focus there, as it does in its place.
        first = next((one for one in rest if one.extra_tags), None) if not is_htmx else None
        told = [(one.level_tag, SafeString(" autofocus" if one is first else ""), one) for one in rest]
        return format_html_join("", html, told) + content


# --- JSON of a run ----------------------------------------------------------------------------


@register.filter
def moment(text: Any) -> datetime | None:
    """The datetime of ISO 8601 text. None for anything else."""
    return stored.moment(text)


@register.filter
def iso(at: datetime | None) -> str:
    """For the attribute ``datetime``: HTML allows at most three digits of a second."""
    return timezone.localtime(at).isoformat(timespec="milliseconds") if at else ""


@register.filter
def scheduled(at: datetime) -> Any:
    """The same moment in the zone that schedules are read in."""
    return do_timezone(at, timezone.get_default_timezone())


@register.filter
def pairs(facts: Any) -> list[tuple[str, Any]]:
    """The names and values of an object. In a template, ``facts.items`` could be a value named "items"."""
    return list(facts.items()) if isinstance(facts, dict) else []


# --- Charts: numbers to coordinates -----------------------------------------------------------


@register.filter
def sparkline(numbers: Sequence[int]) -> str:
    return charts.sparkline(numbers)


@register.filter
def chart_data(chart: charts.Chart) -> SafeString:
    """The chart's data in the page, for charts.js."""
    html = json_script(chart.data({name: word(name) for name in chart.columns}))
    return SafeString(html.replace("<script ", "<script data-chart ", 1))


@register.filter
def duration(length: timedelta | None) -> str:
    """A duration in words; a dash for none."""
    return in_words(length) or "–"


@register.filter
def in_unit(number: float, unit: str) -> str:
    """A chart's number with its unit, for people."""
    if unit == "bytes":
        return str(filesizeformat(number))
    return in_words(timedelta(milliseconds=number)) if unit == "ms" else str(intcomma(int(number)))


@register.filter
def unlocalised(number: float) -> str:
    """A coordinate, with a decimal point in every language."""
    return str(number)
