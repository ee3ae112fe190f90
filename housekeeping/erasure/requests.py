"""How an erasure begins: previewed, requested, and carried out by the task ``erasures``."""

import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared import databases
from housekeeping.declared.personal import Person
from housekeeping.declared.steps import no_checkpoint
from housekeeping.engine import holds
from housekeeping.erasure import obstacles, people, work
from housekeeping.erasure.copies import files
from housekeeping.erasure.tables import rows
from housekeeping.erasure.work import ForgetResults, forget_none
from housekeeping.exceptions import BadField, NotAllowed, NotPossible, QueueUnreachable, RunInProgress, each
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Archive, Erasure, Run
from housekeeping.runs import control

TASK = "erasures"


@dataclass(frozen=True)
class Preview:
    """What an erasure would delete at this moment. ``archives``: how many will be searched as well.

    ``files``: by field, how many of its rows name a file. It stays if other rows name it, too.
    """

    person: Person
    rows: Counter[str]
    archives: int
    obstacles: list[str] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)

    @property
    def is_archived(self) -> bool:
        """Does the account live only in archives?"""
        return people.row_of(self.person) is None


@databases.needed()
def preview(person: Person) -> Preview:
    """Raises DatabaseUnreachable."""
    # Tables that can't be purged can't be followed by foreign keys either.
    found = {} if obstacles.unfit(person) else rows.there(person)
    reasons = obstacles.reasons(person, found)
    theirs = {} if reasons else rows.all_of(person, found)
    counts = +Counter({label: len(keys) for label, keys in theirs.items()})
    return Preview(person, counts, Archive.objects.count(), reasons, files.count(theirs))


def check_right(person: Person, *, is_superuser: bool) -> None:
    """Raises NotAllowed if the account is a superuser's, and the one who asks is none."""
    if people.is_superuser(person) and not is_superuser:
        raise NotAllowed(gettext("Only a superuser may erase a superuser."))


def check_typed(person: Person, typed: str) -> None:
    """Raises BadField unless the account's name was typed, in any case."""
    if typed.strip().casefold() != person.name.casefold():
        raise BadField("typed", gettext("Type the name of the account, %(name)s.") % {"name": person.name})


def request(person: Person, *, send: control.Send, by: Actor | None = None) -> Erasure:
    """Ask for the person's erasure, and have a consumer carry it out. Returns it, or the one under way.

    Raises NotPossible, with all reasons, if something is in the way, and QueueUnreachable; then nothing was
    requested, and an erasure that was requested before stays.
    """
    erasure, is_new = _stored(person, by)
    try:
        control.request(TASK, send=send, by=by)
    except RunInProgress:
        pass  # that run takes this erasure, too, or the next one does
    except QueueUnreachable as reason:
        if Run.objects.in_the_way(TASK, dry_run=False):
            return erasure  # somebody else has requested a run meanwhile, which takes this erasure, too
        if is_new:
            _withdraw(erasure, reason)
        raise
    return erasure


def _withdraw(erasure: Erasure, reason: QueueUnreachable) -> None:
    Erasure.objects.filter(pk=erasure.pk, state=Erasure.State.REQUESTED).delete()
    acts.failed(erasure.pseudonym, reason)


def request_late(run: Run, *, send: control.Send) -> None:
    """After the end of ``run``: have requests carried out that came after its last look for some.

    They were told that there is a run already. One that was tried and could not begin waits for the night.
    """
    late = Erasure.objects.open().filter(state=Erasure.State.REQUESTED, requested_at__gte=run.requested_at)
    if run.task == TASK and run.status != Run.Status.CANCELLED and late.exists():
        with suppress(RunInProgress):
            control.request(TASK, send=send)


def store(person: Person, *, by: Actor | None = None) -> Erasure:
    """Store the request, for a caller that carries it out itself. Raises NotPossible."""
    erasure, _ = _stored(person, by)
    return erasure


@databases.needed()
def _stored(person: Person, by: Actor | None) -> tuple[Erasure, bool]:
    """The request, and whether it is new: the person's erasure may have been requested before."""
    if reasons := obstacles.reasons(person):
        raise NotPossible(" ".join(reasons))
    with writing():
        holds.wait_for_batches()  # one request at a time
        under_way = [one for one in Erasure.objects.open() if (one.person or {}).get("key") == person.key]
        if under_way:
            return under_way[0], False
        erasure = Erasure.objects.create(
            pseudonym=f"erased-{secrets.token_hex(5)}",
            model=person.model._meta.label,
            person=people.as_json(person),
            requested_by=by.name if by else "",
            requested_at=clock.now(),
        )
        acts.record(by, "erase", erasure.pseudonym, erasure=str(erasure.pk))
    return erasure, True


def carry_out_open(
    checkpoint: Callable[[], None] = no_checkpoint, forget_results: ForgetResults = forget_none
) -> dict[str, Any]:
    """Carry out all erasures that are not finished, the oldest first. Returns how they ended.

    Raises the first error after all have had their turn.
    """
    ended: Counter[str] = Counter()

    def carry_out(erasure: Erasure) -> None:
        work.carry_out(erasure, forget_results=forget_results, checkpoint=checkpoint)
        ended[erasure.state] += 1

    done: set[Any] = set()
    while waiting := list(Erasure.objects.open().exclude(pk__in=done).order_by("requested_at", "pk")):
        done |= {one.pk for one in waiting}
        each(waiting, carry_out)
    return {"finished_erasures": ended["finished"], "stopped_erasures": ended["stopped"]}
