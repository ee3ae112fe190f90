"""The three rights, as permissions of Django, and the rights that each act on a run needs.

All faces ask this module, so a page offers exactly the acts that its addresses accept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from housekeeping.exceptions import NotAllowed

if TYPE_CHECKING:
    from housekeeping.models import Run

VIEW = "housekeeping.view_run"
OPERATE = "housekeeping.operate"
CONFIGURE = "housekeeping.configure"

TO_ACT: Mapping[str, str] = {
    "carry out": OPERATE,
    "approve": OPERATE,
    "retry": OPERATE,
    "dry run": OPERATE,
    "cancel": OPERATE,
    "undo": CONFIGURE,
}


@dataclass(frozen=True)
class Rights:
    """What a person may do in addition to viewing."""

    operate: bool = False
    configure: bool = False

    def may(self, act: str, run: "Run") -> bool:
        """``act``: a key of :data:`TO_ACT`."""
        held = {OPERATE: self.operate, CONFIGURE: self.configure}
        return all(held[right] for right in needed(act, run))


NOTHING = Rights()


def of(user: Any) -> Rights:
    return Rights(operate=user.has_perm(OPERATE), configure=user.has_perm(CONFIGURE))


def needed(act: str, run: "Run") -> set[str]:
    """The rights that ``act`` on ``run`` needs. Retrying an undo puts rows back, so it needs both."""
    return {TO_ACT[act], CONFIGURE} if act == "retry" and run.undo_of_id else {TO_ACT[act]}


def check_retry(user: Any, run: "Run") -> None:
    """Raises NotAllowed if ``run`` is an undo and ``user`` may not undo."""
    if run.undo_of_id and not of(user).may("retry", run):
        raise NotAllowed(_("Restoring rows needs the right to configure."))
