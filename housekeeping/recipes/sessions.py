"""Django's sessions: those that have expired. ``clearsessions`` of Django does the same by hand.

The erasure of a person deletes their sessions, and those that name them. One that is not signed in yet may
name them, as may one in which somebody has typed something. Who has such a session is signed out.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import IntegerField, QuerySet, UUIDField
from django.utils.http import int_to_base36

from housekeeping import Person, Policy, personal_rows
from housekeeping.declared import common, names

# Of django-allauth, in a sign-in that waits for a second factor.
WAITING, METHODS_OF = "account_login", "account_authentication_methods_user"


def sessions_of(person: Person) -> QuerySet[Any]:
    """Sessions are not stored by account: each has to be decoded."""
    every = Session.objects.only("session_key", "session_data")
    pattern = names.pattern(person, common.words_of_site())
    keys = []
    for one in every.iterator(chunk_size=500):
        facts = one.get_decoded()
        text = json.dumps(facts, default=str, ensure_ascii=False)
        if _is_theirs(facts, person) or pattern.search(text) or pattern.search(unquote_plus(text)):
            keys.append(one.session_key)
    return Session.objects.filter(session_key__in=keys)


def _is_theirs(facts: Mapping[str, Any], person: Person) -> bool:
    waiting = facts.get(WAITING)
    if isinstance(waiting, dict) and waiting.get("user_pk") == _key_in_address(person):
        return True
    return person.key in (str(facts.get(SESSION_KEY)), str(facts.get(METHODS_OF)))


def _key_in_address(person: Person) -> str:
    """The key of the account as django-allauth writes it in addresses."""
    key = person.model._meta.pk
    if isinstance(key, UUIDField):
        return UUID(person.key).hex
    return int_to_base36(int(person.key)) if isinstance(key, IntegerField) else person.key


personal_rows(Session, rows=sessions_of)

UPKEEP = {
    "deleted_sessions": (
        Policy(
            "sessions",
            rows=lambda cutoff: Session.objects.filter(expire_date__lt=cutoff),
            age="expire_date",
            is_upkeep=True,
        ),
    )
}
