"""The certificate of an erasure: what was done, when, and what can't be reached. It names nobody."""

import hashlib
import json
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_noop

from housekeeping import __version__
from housekeeping.declared.personal import declared
from housekeeping.erasure.copies import files
from housekeeping.erasure.copies.archives import tables
from housekeeping.erasure.terms import Terms
from housekeeping.models import Erasure, Export

PIECES = gettext_noop(
    "In logs, errors and results: user names within other words, such as those of files, first names alone,"
    " and single words and pieces of fewer than 25 characters of what the person wrote."
)
# What no erasure can reach, in the words of the certificate.
NOT_REACHED = [
    gettext_noop("Backups of the database and of the queue. Erase the person again after restoring one."),
    gettext_noop("Log files, and what the site has sent elsewhere: mails, webhooks, error reports."),
    gettext_noop("Free space in database files, until the database writes over it."),
    gettext_noop("What other people wrote about the person, and earlier names of the account."),
    PIECES,
    gettext_noop("Messages of the site's own tasks that wait in the queue."),
]
COMMON_NAME = gettext_noop(
    "The user name is too short or too common to be replaced in texts. It was replaced where it stands for"
    " the account."
)
EXPORTS = gettext_noop("Exports of policies that keep erasures away from them.")
FILES = gettext_noop("Files that rows named, where a policy says that the site looks after them.")


def issue(erasure: Erasure, terms: Terms, left: dict[str, int], at: datetime) -> dict[str, Any]:
    """``left``: by column of the site, how many rows still name the person."""
    not_reached = list(NOT_REACHED)
    if not terms.is_searched:
        not_reached.append(COMMON_NAME)
    if Export.objects.filter(is_erasable=False).exists():
        not_reached.append(EXPORTS)
    about = [*tables(terms.person.model), *(one.model for one in declared())]
    if any(map(files.left_to_the_site, about)):
        not_reached.append(FILES)
    return {
        "erasure": str(erasure.pk),
        "pseudonym": erasure.pseudonym,
        "accounts": erasure.model,
        "requested_at": erasure.requested_at.isoformat(),
        "finished_at": at.isoformat(),
        "deleted": dict(sorted(erasure.rows.items())),
        "erased_from_archives": dict(sorted(erasure.archived.items())),
        "erased_from_exports": dict(sorted(erasure.exported.items())),
        "deleted_files": dict(sorted(erasure.files.items())),
        "changed": dict(sorted(erasure.changed.items())),
        "left": dict(sorted(left.items())),
        "not_reached": not_reached,
        "version": __version__,
    }


def digest(certificate: dict[str, Any]) -> str:
    """SHA-256 of the certificate as JSON: names sorted, no spaces, all characters as they are."""
    text = json.dumps(certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
