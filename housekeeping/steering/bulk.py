"""One act on many runs: each is done or not by itself, and who asked is told which and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.translation import gettext as _

from housekeeping.exceptions import HousekeepingError, NotPossible
from housekeeping.models import Run

MOST = 100


@dataclass(frozen=True)
class Result:
    """What came of one: ``done`` is the run that the act gave, and else ``error`` says why there is
    none. ``run`` is None where there is no such run (any more)."""

    pk: UUID
    run: Run | None = None
    done: Run | None = None
    error: HousekeepingError | None = None

    @property
    def reason(self) -> str:
        return str(self.error) if self.error else _("There is no such run any more.")


@dataclass
class Outcome:
    """The results, in the order asked for."""

    results: list[Result] = field(default_factory=list)

    @property
    def done(self) -> list[Run]:
        return [one.done for one in self.results if one.done]

    @property
    def refused(self) -> list[Result]:
        return [one for one in self.results if not one.done]


def each(ids: Iterable[UUID], act: Callable[[Run], Run]) -> Outcome:
    """Do ``act`` to each of the runs, in the order given.

    Raises NotPossible for none or for more than :data:`MOST`, and then nothing is done.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise NotPossible(_("Select runs first."))
    if len(wanted) > MOST:
        text = _("At most %(most)s runs at once; %(n)s were selected.")
        raise NotPossible(text % {"most": MOST, "n": len(wanted)})
    there = Run.objects.in_bulk(wanted)
    return Outcome([_result(pk, there.get(pk), act) for pk in wanted])


def _result(pk: UUID, run: Run | None, act: Callable[[Run], Run]) -> Result:
    if run is None:
        return Result(pk)
    try:
        return Result(pk, run, done=act(run))
    except HousekeepingError as error:
        return Result(pk, run, error=error)
