"""The texts that tell of a person, and their replacement in other texts.

- Names count where ``declared.names`` tells. A user name that is common is replaced only where it stands for
  an account: as the value of ``requested_by`` and the like.
- Words are the texts in the person's own rows. A task may have logged a piece of one, or raised an error
  with it: pieces of 25 characters and more are found. So are shorter texts as a whole, such as titles, if
  they are several words, and not only words of the site.
"""

import re
from collections.abc import Iterable
from typing import Any

from housekeeping.declared import common, names
from housekeeping.declared.personal import Person

# Words are known by a window of so many characters at every STEP-th place: a piece of WINDOW + STEP - 1
# characters contains one.
WINDOW, STEP = 20, 6
MOST_WINDOWS = 400_000  # about 100 MB, for 2.4 million characters; of further texts, only the first is known
BEGINNING = 2_000  # half of the windows are for the beginnings of texts
SHORTEST, MOST_SHORT = 8, 100_000  # shorter texts are too common
STARTS = re.compile(r"(?<!\w)\S")
# Names in JSON whose values are accounts.
OF_ACCOUNTS = re.compile("(^|_)(by|who|user|username|user_name|account|owner|author|login)$", re.I)


class Terms:
    def __init__(self, person: Person, pseudonym: str) -> None:
        self.person, self.pseudonym = person, pseudonym
        self.names = {name.casefold() for name in person.names}
        self._words_of_site = common.words_of_site()
        self.is_searched = not common.is_common(person.name, self._words_of_site)
        self._pattern = names.pattern(person, self._words_of_site)
        self._windows: dict[str, tuple[str, int]] = {}  # each with a text that has it, and where
        self._short: dict[str, set[str]] = {}  # whole texts, by their first characters

    def add_words(self, texts: Iterable[str]) -> None:
        """Look for pieces of these texts of the person's rows, too."""
        for text in texts:
            is_crowded = len(self._windows) >= MOST_WINDOWS // 2
            for form in names.forms(text[:BEGINNING] if is_crowded else text):
                if len(form) < WINDOW:
                    self._add_short(form.strip())
                for at in range(0, len(form) - WINDOW + 1, STEP):
                    if at and len(self._windows) >= MOST_WINDOWS // (1 if at < BEGINNING else 2):
                        break
                    self._windows.setdefault(form[at : at + WINDOW], (form, at))

    def _add_short(self, text: str) -> None:
        words = re.findall(r"\w+", text.casefold())
        is_common = all(word in self._words_of_site or word.isdigit() for word in words)
        if (
            len(text) >= SHORTEST
            and len(text.split()) > 1
            and not is_common
            and len(self._short) < MOST_SHORT
        ):
            self._short.setdefault(text[:SHORTEST], set()).add(text)

    def replaced(self, text: str) -> str:
        """``text`` with the pseudonym in the place of whatever tells of the person."""
        text = self._pattern.sub(self.pseudonym, text)
        text = self._without_words(text) if self._windows else text
        return self._without_short(text) if self._short else text

    def are_in(self, text: str) -> bool:
        return self.replaced(text) != text

    def replaced_in_json(self, value: Any, *, with_names: bool = True, under: str = "") -> Any:
        """The same for each text in JSON. ``with_names``: also for the names in its objects.

        ``under``: the name that the value has.
        """
        if isinstance(value, str):
            return self.pseudonym if self._is_theirs(value, under) else self.replaced(value)
        if isinstance(value, list):
            return [self.replaced_in_json(one, with_names=with_names, under=under) for one in value]
        if isinstance(value, dict):
            return {
                self.replaced(name) if with_names else name: self.replaced_in_json(
                    one, with_names=with_names, under=name
                )
                for name, one in value.items()
            }
        return value

    def _is_theirs(self, value: str, under: str) -> bool:
        """Is this whole value a name of the account?"""
        is_name = value.casefold() in self.names
        return is_name and (self.is_searched or bool(OF_ACCOUNTS.search(under)))

    def _without_words(self, text: str) -> str:
        """Look up the window at each place: the number of the person's texts does not matter."""
        parts, done, at = [], 0, 0
        while at <= len(text) - WINDOW:
            known = self._windows.get(text[at : at + WINDOW])
            if known is None:
                at += 1
                continue
            begin, end = _common(text, at, *known)
            parts += [text[done : max(begin, done)], self.pseudonym]
            done = at = end
        return "".join([*parts, text[done:]])

    def _without_short(self, text: str) -> str:
        """Whole texts, where they stand by themselves."""
        parts, done = [], 0
        for begin in (found.start() for found in STARTS.finditer(text)):
            known = self._short.get(text[begin : begin + SHORTEST], ()) if begin >= done else ()
            for one in sorted(known, key=len, reverse=True):
                end = begin + len(one)
                if text.startswith(one, begin) and not re.match(r"\w", text[end : end + 1]):
                    parts += [text[done:begin], self.pseudonym]
                    done = end
                    break
        return "".join([*parts, text[done:]])


def _common(text: str, at: int, words: str, there: int) -> tuple[int, int]:
    """Where the piece that both have around these places begins and ends in ``text``."""
    begin, first = at, there
    while begin and first and text[begin - 1] == words[first - 1]:
        begin, first = begin - 1, first - 1
    end, last = at + WINDOW, there + WINDOW
    while end < len(text) and last < len(words) and text[end] == words[last]:
        end, last = end + 1, last + 1
    return begin, end
