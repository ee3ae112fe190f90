"""What somebody typed into a form and sent after the session had ended.

Their own browser keeps it, in a signed cookie, for an hour: the site stores nothing for somebody who has not
signed in. After the sign-in, the page of the form fills it in again. Nothing is done with it before it is
sent again.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext

from housekeeping.dashboard import answers, cookies, polls
from housekeeping.dashboard.polls import HtmxHttpRequest


@dataclass(frozen=True)
class Form:
    """``page``: the URL name of its page, of which ``is_list`` tells whether its address has no arguments.

    ``fields``: those to type in. No others are kept: one may be a password that the project has asked for.
    """

    page: str
    fields: tuple[str, ...]
    is_list: bool = False


_CHANNEL = ("address", "kinds", "tasks", "is_on", "is_reminded")
# By the URL names that they are sent to.
FORMS = {
    "hold-add": Form("holds", ("model", "key", "until", "reason"), is_list=True),
    "hold-change": Form("holds", ("until",), is_list=True),
    "undo-holds-change": Form("holds", ("until",), is_list=True),
    "policy-change": Form("policy", ("retention_days",)),
    "schedule-change": Form("schedule", ("trigger",)),
    "channel-add": Form("alerts", ("name", "kind", *_CHANNEL), is_list=True),
    "channel-change": Form("channel", _CHANNEL),
    "task-acknowledge": Form("task", ("until", "reason")),
    "task-pause": Form("task", ("reason",)),
    "erasure-begin": Form("erasures", ("account",), is_list=True),
}
COOKIE = "housekeeping_unsent"
SALT = "housekeeping.unsent"
LONGEST = 3_500  # characters of the cookie: browsers keep 4,096
KEPT = 60 * 60  # seconds


@dataclass(frozen=True)
class Unsent:
    """``form``: the URL name that it was sent to, with ``of``, the arguments of its address."""

    form: str
    of: dict[str, Any]
    fields: QueryDict


def page_of(request: HtmxHttpRequest) -> str:
    """The address of the page of the form that was sent; nothing if it is none of ``FORMS``."""
    match = request.resolver_match
    if request.method != "POST" or match is None or match.url_name not in FORMS:
        return ""
    form = FORMS[match.url_name]
    return reverse(f"housekeeping:{form.page}", kwargs={} if form.is_list else match.kwargs)


def keep(request: HtmxHttpRequest, answer: HttpResponse) -> None:
    """Let the browser keep what was sent, if it is one of ``FORMS`` and not too long."""
    match = request.resolver_match
    if match is None or match.url_name not in FORMS:
        return
    fields = QueryDict(mutable=True)
    for name in ("beside", *FORMS[match.url_name].fields):
        if name in request.POST:
            fields.setlist(name, request.POST.getlist(name))
    of = {name: str(value) for name, value in match.kwargs.items()}
    kept = signing.dumps([match.url_name, of, fields.urlencode()], salt=SALT, compress=True)
    if len(kept) <= LONGEST:
        cookies.give(request, answer, COOKIE, kept, seconds=KEPT)


def take(request: HtmxHttpRequest, *forms: str, beside: str = "", **of: Any) -> Unsent | None:
    """What was typed into one of ``forms``, once, with an answer about it beside the form.

    ``beside``: the place of that answer if the form does not name its own. ``of``: what the form's address
    must name.
    """
    kept = None if polls.is_fragment(request) else _kept(request)
    if kept is None or kept.form not in forms or not of.items() <= kept.of.items():
        return None
    request.has_taken_unsent = True
    text = gettext("You were signed out before this was sent. Check it, and send it again.")
    place = kept.fields.get("beside", "")[: answers.LONGEST_PLACE] or beside
    messages.warning(request, text, extra_tags=place)
    return kept


def _kept(request: HtmxHttpRequest) -> Unsent | None:
    try:
        form, of, text = signing.loads(cookies.read(request, COOKIE) or "", salt=SALT, max_age=KEPT)
    except signing.BadSignature:
        return None
    return Unsent(form, of, QueryDict(text))


def forget(request: HtmxHttpRequest, answer: HttpResponse) -> HttpResponse:
    """Once the page shows it, the browser need not keep it."""
    if getattr(request, "has_taken_unsent", False):
        cookies.delete(request, answer, COOKIE)
    return answer
