"""One act on many runs: each run is handled separately, and the caller learns which were refused and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.translation import gettext as _

from housekeeping.exceptions import HousekeepingError, NotPossible
from housekeeping.models import Run

MOST = 100


@dataclass(frozen=True)
class Answer:
    """The outcome for one run: ``done`` is the run that the act returned; without it, ``error`` is
    the reason. ``run`` is None if the run does not exist (any more)."""

    pk: UUID
    run: Run | None = None
    done: Run | None = None
    error: HousekeepingError | None = None

    @property
    def reason(self) -> str:
        return str(self.error) if self.error else _("This run no longer exists.")


@dataclass
class Summary:
    """The answers, in the order of the request."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def done(self) -> list[Run]:
        return [one.done for one in self.answers if one.done]

    @property
    def refused(self) -> list[Answer]:
        return [one for one in self.answers if not one.done]


def each(ids: Iterable[UUID], act: Callable[[Run], Run]) -> Summary:
    """Call ``act`` with each of the runs, in the given order.

    Raises NotPossible for no run and for more than :data:`MOST`; then nothing is done.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise NotPossible(_("Select runs first."))
    if len(wanted) > MOST:
        text = _("At most %(most)s runs at once; %(n)s were selected.")
        raise NotPossible(text % {"most": MOST, "n": len(wanted)})
    there = Run.objects.in_bulk(wanted)
    return Summary([_answer(pk, there.get(pk), act) for pk in wanted])


def _answer(pk: UUID, run: Run | None, act: Callable[[Run], Run]) -> Answer:
    if run is None:
        return Answer(pk)
    try:
        return Answer(pk, run, done=act(run))
    except HousekeepingError as error:
        return Answer(pk, run, error=error)
