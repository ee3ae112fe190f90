"""Fragments that pages poll: the answer is 304 if nothing has changed."""

import hashlib
from typing import Any

from django.contrib.messages.storage.base import Message
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django_htmx.middleware import HtmxDetails

from housekeeping import rights


class HtmxHttpRequest(HttpRequest):
    htmx: HtmxDetails
    answers: list[Message]  # to acts, which no place of the page has shown so far
    has_taken_unsent: bool  # what was typed before the sign-in


def fingerprint(*facts: Any) -> str:
    """32 characters that change with any of ``facts``."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def tag(request: HttpRequest, fingerprint: str) -> str:
    """Of a fragment with this fingerprint, for a reader with these rights, this language and this zone."""
    seen_by, zone = rights.of(request.user), timezone.get_current_timezone_name()
    return f"{fingerprint}-{seen_by.operate:d}{seen_by.configure:d}-{get_language()}-{zone}"


def is_unchanged(request: HttpRequest, tag: str) -> bool:
    return request.method == "GET" and request.headers.get("HX-PTag") == tag


def tagged(request: HttpRequest, template: str, facts: dict[str, Any], tag: str) -> HttpResponse:
    """The page or fragment, with the tag that the next poll sends along."""
    answer = render(request, f"housekeeping/{template}", {**facts, "tag": tag})
    answer["HX-PTag"] = tag
    return answer


def is_fragment(request: HtmxHttpRequest) -> bool:
    """Does htmx ask for a fragment? When it restores history, it wants the whole page."""
    return bool(request.htmx) and not request.htmx.history_restore_request
