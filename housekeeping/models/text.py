"""Text that every database can store, text that people read, and numbers that they write."""

import re
from datetime import timedelta
from typing import Any

from django.utils.formats import number_format


def storable(value: Any) -> Any:
    """``value`` without the characters that no database stores: NUL, and half a surrogate pair.

    Covers texts, also those in lists and dictionaries. Anything else stays as it is.
    """
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    if isinstance(value, list):
        return [storable(one) for one in value]
    if isinstance(value, dict):
        return {storable(name): storable(one) for name, one in value.items()}
    return value


def in_words(duration: timedelta | None) -> str:
    """A duration for people: ``40 ms``, ``3 min 5 s``; empty for None."""
    if duration is None:
        return ""
    seconds = max(duration.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{number_format(f'{seconds:.1f}')} s"  # in German, with a comma
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def one_line(text: str, length: int) -> str:
    """Without line breaks and runs of spaces, cut to so many characters."""
    return " ".join(text.split())[:length]


def whole(text: str) -> int:
    """A whole number, written in digits alone. Raises ValueError.

    ``int`` also reads ``1_0``, which Python takes for 10, and the digits of other scripts.
    """
    if not re.fullmatch(r"[0-9]{1,19}", text.strip()):
        raise ValueError(f"{text!r} is not a whole number.")
    return int(text)
