"""What somebody typed into a form and sent after the session had ended.

It is stored in the new session, and its page fills it in again after the sign-in. Nothing is done with it
before it is sent again.
"""

import time
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext

from housekeeping.dashboard import answers, polls
from housekeeping.dashboard.polls import HtmxHttpRequest

# The forms with something to type, by the URL names that they are sent to, and their pages.
FORMS = {
    "hold-add": "holds",
    "hold-change": "holds",
    "undo-holds-change": "holds",
    "policy-change": "policy",
    "schedule-change": "schedule",
    "channel-add": "alerts",
    "channel-change": "channel",
    "task-acknowledge": "task",
    "task-pause": "task",
}
LISTS = ("holds", "alerts")  # pages whose address has no arguments
KEY = "housekeeping.unsent"
LONGEST = 8_000  # characters; what can be typed into these forms is shorter
KEPT = 60 * 60  # seconds


@dataclass(frozen=True)
class Unsent:
    """``form``: the URL name that it was sent to, with ``of``, the arguments of its address."""

    form: str
    of: dict[str, Any]
    fields: QueryDict


def keep(request: HtmxHttpRequest) -> str:
    """Store what was sent if it is one of ``FORMS``. Returns the address of the form's page, else nothing."""
    match, fields = request.resolver_match, request.POST.copy()
    fields.pop("csrfmiddlewaretoken", None)
    text = fields.urlencode()
    if match is None or match.url_name not in FORMS or len(text) > LONGEST:
        return ""
    of = {name: str(value) for name, value in match.kwargs.items()}
    request.session[KEY] = {"form": match.url_name, "of": of, "fields": text, "at": time.time()}
    page = FORMS[match.url_name]
    return reverse(f"housekeeping:{page}", kwargs={} if page in LISTS else of)


def take(request: HtmxHttpRequest, *forms: str, beside: str = "", **of: Any) -> Unsent | None:
    """What was typed into one of ``forms``, once, with an answer about it beside the form.

    ``beside``: the place of that answer if the form does not name its own. ``of``: what the form's address
    must name.
    """
    stored = None if polls.is_fragment(request) else request.session.get(KEY)
    if not stored or stored["form"] not in forms or not of.items() <= stored["of"].items():
        return None
    del request.session[KEY]
    if time.time() - stored["at"] > KEPT:
        return None
    fields = QueryDict(stored["fields"])
    text = gettext("You were signed out before this was sent. Check it, and send it again.")
    place = fields.get("beside", "")[: answers.LONGEST_PLACE] or beside
    messages.warning(request, text, extra_tags=place)
    return Unsent(stored["form"], stored["of"], fields)
