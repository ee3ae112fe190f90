"""One act on many runs: each is done or not by itself, and who asked is told which and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from housekeeping.exceptions import HousekeepingError, NotPossible
from housekeeping.models import Run

MOST = 100


@dataclass
class Outcome:
    """The runs that the act gave, and the others with the reason."""

    done: list[Run] = field(default_factory=list)
    refused: list[tuple[UUID, Run | None, str]] = field(default_factory=list)


def each(ids: Iterable[UUID], act: Callable[[Run], Run]) -> Outcome:
    """Do ``act`` to each of the runs, in the order given.

    Raises NotPossible for none or for more than :data:`MOST`, and then nothing is done.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise NotPossible("Select runs first.")
    if len(wanted) > MOST:
        raise NotPossible(f"At most {MOST} runs at once; {len(wanted)} were selected.")
    outcome, there = Outcome(), Run.objects.in_bulk(wanted)
    for pk in wanted:
        run = there.get(pk)
        if run is None:
            outcome.refused.append((pk, None, "There is no such run any more."))
            continue
        try:
            outcome.done.append(act(run))
        except HousekeepingError as reason:
            outcome.refused.append((pk, run, str(reason)))
    return outcome
