"""Answers to acts, beside the button that was pressed.

An answer is a message of Django with a place, so that it outlives a redirect. Templates name the places:
``{% answer "task-stats" %}``. An answer whose place is not on the page stands at the top of it.
"""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.utils.translation import gettext

from housekeeping.dashboard import wording
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.models import Run
from housekeeping.reading import words

LONGEST_PLACE = 150
_LEVELS = {Run.Status.FAILED: messages.ERROR, Run.Status.HELD: messages.WARNING}


def give(request: HtmxHttpRequest, text: str, level: int = messages.SUCCESS, *, beside: str) -> None:
    """``beside``: the place, unless the form that was sent names another one of its page."""
    place = request.POST.get("beside", "")[:LONGEST_PLACE] or beside
    messages.add_message(request, level, text, extra_tags=place)


def give_standing(request: HtmxHttpRequest, run: Run, *, beside: str) -> None:
    """Tell how a run stands after an act on it."""
    text = words.message(run)
    if run.cancel_requested and run.status == Run.Status.RUNNING:
        text = gettext("%(task)s: stops after this batch") % {"task": wording.title_of(run.task)}
    level = _LEVELS.get(Run.Status(run.status), messages.SUCCESS)
    give(request, text, level, beside=beside)


def saved(how: str) -> str:
    return " ".join([gettext("Saved."), how])


def not_saved(problem: Exception) -> str:
    return gettext("Not saved: %(why)s") % {"why": problem}


def take(request: HtmxHttpRequest, place: str) -> list[Message]:
    """The answers for this place, which no other place shows then."""
    return _take(request, lambda message: message.extra_tags == place)


def take_of(request: HtmxHttpRequest, group: str) -> list[Message]:
    """The answers for a group of places (``now``), and for those of its places (``now-…``) that are gone."""
    return _take(request, lambda message: f"{message.extra_tags}-".startswith(f"{group}-"))


def take_placed(request: HtmxHttpRequest) -> list[Message]:
    """The answers for places that the page has not shown so far."""
    return _take(request, lambda message: bool(message.extra_tags))


def take_rest(request: HtmxHttpRequest) -> list[Message]:
    return _take(request, lambda message: True)


def _take(request: HtmxHttpRequest, is_wanted: Callable[[Message], bool]) -> list[Message]:
    # A poll must not take the answer that a redirect leads to, nor must a HEAD request, which shows no page.
    # The page that describes the API also works without django_htmx.
    if request.method == "HEAD" or (getattr(request, "htmx", False) and request.method == "GET"):
        return []
    if not hasattr(request, "answers"):
        request.answers = list(messages.get_messages(request))
    taken = [message for message in request.answers if is_wanted(message)]
    request.answers = [message for message in request.answers if message not in taken]
    return taken
