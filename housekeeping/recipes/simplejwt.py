"""SimpleJWT's list of refresh tokens: those that have expired.

The row of a blacklisted token goes only once the token itself has expired: until then it must stay
known as blacklisted.
"""

import base64
import json
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from housekeeping import Person, Policy, personal_rows


def tokens_of(person: Person) -> QuerySet[Any]:
    """Also those whose account was deleted before: their column is empty, but their text names it."""
    orphans = OutstandingToken.objects.filter(user=None).values_list("pk", "token").iterator(chunk_size=500)
    keys = [pk for pk, token in orphans if _account_in(token) == person.key]
    return OutstandingToken.objects.filter(Q(user=person.key) | Q(pk__in=keys))


def _account_in(token: str) -> str:
    """The key of the account that a token names; empty if it names none."""
    try:
        claims = token.split(".")[1]
        facts = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return str(facts.get(api_settings.USER_ID_CLAIM, ""))
    except (IndexError, ValueError, AttributeError):
        return ""


personal_rows(OutstandingToken, rows=tokens_of)

UPKEEP = {
    "deleted_tokens": (
        Policy(
            "tokens",
            rows=lambda cutoff: OutstandingToken.objects.filter(expires_at__lt=cutoff),
            age="expires_at",
            is_upkeep=True,
        ),
    )
}
