"""Verify what a run keeps for its undo: is every archive there, and is each what was written?

What it promises:

- An archive is intact only if its digest covers what it says about itself and what it holds. A
  flipped bit, a missing end, rows of another archive or of another run never pass.
- A run knows how many archives it must have: one that is missing is noticed, and so are all of
  them, until the undo window is over. What has expired is not missing.
- Archives of version 1.0 have no digest. The digest on the run's receipt vouches for all of a
  policy's archives together, while none of them is gone.
- One archive is in memory at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import zstandard
from django.db.models import Count, Exists, OuterRef, Q, Subquery, Sum, TextField, Value
from django.db.models.functions import Coalesce, Concat

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.declared.steps import Outcome, go_on
from housekeeping.engine import archive, packing
from housekeeping.models import Archive, Run, RunQuerySet

NOTHING = "00" * 32  # the chain of digests before the first archive
VERIFY_AGAIN_AFTER = timedelta(days=30)
VERIFIED, INCOMPLETE, DIFFERS = "verified", "incomplete", "differs"


class Damaged(Exception):
    """An archive does not hold what was written into it; the text says why."""


@dataclass
class Report:
    """What was found of one run.

    ``damaged``: archives by their key, with what is wrong; ``receipts``: by policy, whether the
    digest of the receipt matches; ``unvouched``: policies with archives of version 1.0 that
    nothing vouches for; ``links``: by archive, the receipt's digest before and after it.
    """

    run: Run
    archives: int = 0
    missing: int = 0
    damaged: dict[int, str] = field(default_factory=dict)
    duplicates: int = 0
    receipts: dict[str, str] = field(default_factory=dict)
    unvouched: list[str] = field(default_factory=list)
    links: dict[int, tuple[str, str]] = field(default_factory=dict)
    without_digest: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def findings(self) -> list[str]:
        """A sentence for each thing that is wrong; empty where all is intact."""
        found = list(self.damaged.values())
        if self.missing:
            verb = "is" if self.missing == 1 else "are"
            found.append(f"{self.missing} of {self.run.archives_kept} archives {verb} missing.")
        if self.duplicates:
            what = "1 archive is" if self.duplicates == 1 else f"{self.duplicates} archives are"
            found.append(f"{what} there twice.")
        found += [
            f"{policy}: its archives don't match the digest of the receipt."
            for policy, receipt in self.receipts.items()
            if receipt == DIFFERS and not self.damaged
        ]
        return found


def content(kept: Archive) -> tuple[bytes, str]:
    """What an archive holds, and the receipt's digest after it (from NOTHING, if it has no digest).

    Raises Damaged where it is not what was written.
    """
    try:
        packed = packing.unpacked(kept.payload)
        link = archive.digest(kept.before or NOTHING, packed)
        if kept.digest is not None and archive.sealed(kept, link) != kept.digest:
            raise Damaged("its digest does not match")
        if kept.digest is None and packing.number_of_rows(packed, kept.vendor) != kept.rows:
            raise Damaged("the number of its rows does not match")
    except zstandard.ZstdError as error:
        raise Damaged(f"it can't be unpacked: {error}") from None
    except ValueError as error:
        raise Damaged(f"it can't be read: {error}") from None
    return packed, link


def look(run: Run, *, checkpoint: Callable[[], None] = go_on) -> Report:
    """Read all that ``run`` keeps, and change nothing. ``checkpoint`` is called between archives."""
    report, chains = Report(run), dict[str, str | None]()
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    places: Counter[tuple[int | None, ...]] = Counter()
    for kept in _each(run):
        checkpoint()
        report.archives += 1
        if kept.digest is None:
            report.without_digest[kept.policy].append(kept.pk)
        else:
            places[kept.batch, kept.part, kept.position] += 1
        if not kept.emptied:
            rows[kept.policy][kept.model] += kept.rows
        chains[kept.policy] = _follow(report, kept, chains.get(kept.policy, NOTHING))
    if keeping().filter(pk=run.pk).exists() or run.undos.active().exists():
        report.missing = max((run.archives_kept or 0) - len(places), 0)
    report.duplicates = sum(places.values()) - len(places)
    for policy, chain in chains.items():
        _compare(report, policy, chain, rows[policy])
    return report


def _each(run: Run) -> Iterator[Archive]:
    for pk in run.archives.order_by("pk").values_list("pk", flat=True):
        if kept := Archive.objects.filter(pk=pk).first():
            yield kept


def _follow(report: Report, kept: Archive, chain: str | None) -> str | None:
    """Verify one archive. Returns the chain of digests after it, None where it is broken."""
    try:
        packed, link = content(kept)
    except Damaged as why:
        report.damaged[kept.pk] = f"{kept.name}: {why}."
        return None
    before = kept.before or NOTHING
    if kept.digest is None and chain is not None and chain != before:
        before, link = chain, archive.digest(chain, packed)
    report.links[kept.pk] = (before, link)
    return link if chain == before and kept.part is None else None


def _compare(report: Report, policy: str, chain: str | None, rows: Counter[str]) -> None:
    receipt = report.run.receipt.get(policy, {})
    is_whole = rows == _counted(report.run, policy) and not report.missing
    matches = VERIFIED if chain == receipt.get("digest") else DIFFERS
    state = matches if is_whole else INCOMPLETE
    report.receipts[policy] = state
    if state != VERIFIED and report.without_digest[policy]:
        report.unvouched.append(policy)


def is_unvouched(run: Run) -> bool:
    """Whether ``run`` keeps archives of version 1.0 that nothing vouches for, as far as that is
    known without reading them: damage was found, or a part of what the receipt counts is gone."""
    bare = set(run.archives.filter(digest=None).values_list("policy", flat=True))
    if not bare or run.archive_damage:
        return bool(bare)
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    kept = run.archives.filter(emptied="").values_list("policy", "model")
    for policy, model, count in kept.annotate(count=Sum("rows")):
        rows[policy][model] = count
    return any(rows[policy] != _counted(run, policy) for policy in bare)


def _counted(run: Run, policy: str) -> Counter[str]:
    """The rows of each table that the receipt says a policy has removed."""
    return Counter(run.receipt.get(policy, {}).get("rows", {}))


# --- Keeping what was found -------------------------------------------------------------------


def verify(run: Run, *, checkpoint: Callable[[], None] = go_on) -> Report:
    """Look at all that ``run`` keeps, and keep what was found on its row."""
    report = look(run, checkpoint=checkpoint)
    note(report)
    return report


def note(report: Report) -> None:
    """Keep what was found on the run's row, for the verdict.

    Not while an undo is under way, or has been since: archives that it has put back are not missing.
    """
    same = Run.objects.filter(pk=report.run.pk, archives_kept=report.run.archives_kept)
    damage = "\n".join(report.findings()) or None
    same.update(archive_damage=damage, archives_verified_at=clock.Now())


def keeping() -> RunQuerySet:
    """Runs within their undo window: all that they keep has to be there.

    Expiry may stop halfway: a run of which a part has expired is past its window.
    """
    archives = Archive.objects.filter(run=OuterRef("pk"))
    should_have = Q(archives_kept__gt=0, archives_expire_at__gt=clock.Now())
    kept = Run.objects.filter(Q(Exists(archives)) | should_have)
    return kept.exclude(Exists(archives.filter(expires_at__lte=clock.Now())))


def damaged_runs(most: int = 5) -> list[Run]:
    """The newest runs that keep damaged archives or have lost some, until these expire."""
    return list(keeping().filter(archive_damage__isnull=False).order_by("-requested_at")[:most])


def unverified() -> list[Run]:
    """Runs that have ended, are within their undo window, and were not verified lately or have lost
    archives since; the oldest first."""
    lately = (clock.Now() - VERIFY_AGAIN_AFTER, clock.Now() + conf.ahead())
    is_due = Q(archives_verified_at=None) | ~Q(archives_verified_at__range=lately)
    sealed = Archive.objects.filter(run=OuterRef("pk"), digest__isnull=False).order_by()
    place = Concat("batch", Value("/"), Coalesce("part", 0), Value("/"), "position", output_field=TextField())
    count = sealed.values("run").annotate(count=Count(place, distinct=True)).values("count")
    has_lost = Q(archive_damage=None, archives_kept__gt=Coalesce(Subquery(count), 0))
    due = keeping().filter(is_due | has_lost).ended()
    return list(due.exclude(undos__in=Run.objects.active()).order_by("requested_at", "pk"))


def verify_new(checkpoint: Callable[[], None] = go_on) -> Outcome:
    """Verify each run that nobody has verified yet. What is damaged is the outcome's failure."""
    outcome = Outcome(verified_runs=0, verified_archives=0, damaged_runs=0)
    outcome.failures = []
    for run in unverified():
        report = verify(run, checkpoint=checkpoint)
        outcome["verified_runs"] += 1
        outcome["verified_archives"] += report.archives
        if report.findings():
            outcome["damaged_runs"] += 1
            outcome.failures.append(Damaged(f"Run {run.pk}: {' '.join(report.findings())}"))
    outcome.failures = outcome.failures[:5]
    return outcome
