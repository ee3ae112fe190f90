"""How a check is registered."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.checks import CheckMessage, register
from django.core.checks import Warning as CheckWarning

Check = Callable[..., list[CheckMessage]]


def check(look: Check) -> Check:
    """Register a check. One that raises becomes a warning; otherwise Django would end every command."""

    @wraps(look)
    def guarded(**kwargs: Any) -> list[CheckMessage]:
        try:
            return look(**kwargs)
        except Exception as error:
            return [
                CheckWarning(
                    f"{look.__name__} can't be checked: {type(error).__name__}: {error}",
                    hint="Correct the other errors first.",
                    id="housekeeping.W003",
                )
            ]

    register(guarded)
    return guarded
