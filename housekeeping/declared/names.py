"""The names of a person, and where they stand in a text.

- A mail address, a full name or a user name counts wherever it stands by itself: not as a part of a longer
  word or of another address.
- A last name counts alone, too, from five letters on. A first name does only if there is no other: many
  people share it.
- A user name or a last name that is common (``common.is_common``) does not count in texts: there it means
  something else.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from housekeeping.declared import common
from housekeeping.declared.personal import Person, columns_with_names

# What may stand before and after: in a traceback, a line break in a text is written as \n.
BEFORE = r"(?:(?<!\w)(?<!\w[@.+-])|(?<=\\[nrt]))"
AFTER = r"(?![\w@])(?![.+-]\w)"


SHORTEST_ALONE = 5
# Columns of accounts that have a whole name, as projects usually call them. A site may declare others.
USUAL = ("full_name", "fullname", "name", "display_name", "real_name", "preferred_name", "nickname")


def full_names(account: Mapping[str, Any]) -> tuple[str, ...]:
    """What an account is called, from the values in its row."""

    def text(column: str) -> str:
        return " ".join(str(account.get(column) or "").split())

    first, last = text("first_name"), text("last_name")
    both = [f"{first} {last}", f"{last}, {first}", f"{last} {first}"] if first and last else []
    whole = [last or first, *map(text, (*USUAL, *columns_with_names()))]
    alone = [name for name in whole if len(name) >= SHORTEST_ALONE]
    several = [name for name in (first, *whole) if " " in name]
    return tuple(dict.fromkeys([*both, *alone, *several]))


def pattern(person: Person, words: Collection[str]) -> re.Pattern[str]:
    """Finds all names of the person that count in texts, beside ``words`` of the site (``common``)."""
    full = [name for name in person.full_names if " " in name or not common.is_common(name, words)]
    texts = [*person.addresses, *full, *([] if common.is_common(person.name, words) else [person.name])]
    written = {form for text in texts for form in [*forms(text), quote(text), quote(text, safe="")]}
    if not written:
        return re.compile("(?!)")  # nothing
    longest_first = sorted(written, key=lambda text: (-len(text), text))
    return re.compile(f"{BEFORE}(?:{'|'.join(map(re.escape, longest_first))}){AFTER}", re.I)


def forms(text: str) -> set[str]:
    """A text as it may be written: as it is, in JSON or in a traceback."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
