"""The names of a person, and where they stand in a text.

- A mail address, a full name or a user name counts wherever it stands by itself: not as a part of a longer
  word or of another address.
- A user name that is common (``common.is_common``) does not count in texts: there it means something else.
"""

import json
import re
from urllib.parse import quote

from housekeeping.declared import common
from housekeeping.declared.personal import Person

# What may stand before and after: in a traceback, a line break in a text is written as \n.
BEFORE = r"(?:(?<!\w)(?<!\w[@.+-])|(?<=\\[nrt]))"
AFTER = r"(?![\w@])(?![.+-]\w)"


def is_searched(person: Person) -> bool:
    """Is the user name looked for in texts?"""
    return not common.is_common(person.name)


def pattern(person: Person) -> re.Pattern[str]:
    """Finds all names of the person that count in texts."""
    texts = [*person.addresses, *person.full_names, *([person.name] if is_searched(person) else [])]
    written = {form for text in texts for form in [*forms(text), quote(text), quote(text, safe="")]}
    if not written:
        return re.compile("(?!)")  # nothing
    longest_first = sorted(written, key=lambda text: (-len(text), text))
    return re.compile(f"{BEFORE}(?:{'|'.join(map(re.escape, longest_first))}){AFTER}", re.I)


def forms(text: str) -> set[str]:
    """A text as it may be written: as it is, in JSON or in a traceback."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
