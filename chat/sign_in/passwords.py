"""Passwords that are easy to guess are refused, also those made of words that this site uses.

zxcvbn brings the lists: passwords from leaks, names, and common words. It knows them in other spellings, too.
Nobody outside is asked.
"""

import threading
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from zxcvbn import zxcvbn

# Words that somebody who knows this site tries first. docs/explanation/security.md lists them.
WORDS = (
    "housekeeping",
    "scheduler",
    "scheduler-admin",
    "admin",
    "retention",
    "conversation",
    "conversations",
    "messages",
    "archive",
    "policy",
    "purge",
    "django",
)
LONGEST = 72  # characters that are looked at; the time grows with them
LEAST = 3  # of zxcvbn's scores from 0 to 4: more than 100 million guesses
_one_at_a_time = threading.Lock()  # zxcvbn stores the words of a call in a global


class GuessableValidator:
    """Of AUTH_PASSWORD_VALIDATORS."""

    @sensitive_variables()
    def validate(self, password: str, user: Any = None) -> None:
        with _one_at_a_time:
            score = zxcvbn(password[:LONGEST], user_inputs=_words(user))["score"]
        if score < LEAST:
            text = _(
                "This password is easy to guess: it is on a list of leaked passwords, or made of common"
                " words, of words of this site, or of your name."
            )
            raise ValidationError(text, code="password_guessable")

    def get_help_text(self) -> str:
        return _("Your password can't be one that has leaked, or is made of words that this site uses.")


def _words(user: Any) -> list[str]:
    host = urlsplit(settings.SITE_URL).hostname or ""
    own = [getattr(user, name, "") for name in ("username", "email", "first_name", "last_name")]
    parts = [part for word in (host, *own) for part in [word, *word.replace("@", ".").split(".")]]
    return [*WORDS, *(part for part in parts if len(part) > 2)]
