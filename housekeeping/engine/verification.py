"""Verify the archives of a run: is each of them there, and is each what was written?

Guarantees:

- An archive counts as intact only if its digest covers both its columns and its rows. A flipped bit, a
  missing end, or the rows of another archive or run never pass.
- A run's row has the number of its archives. If one is missing, or all of them are, that is noticed
  until the undo window is over. An expired archive does not count as missing.
- Archives of version 1.0 have no digest. The digest on the run's receipt vouches for all archives of a
  policy together, as long as none of them is gone.
- Once a person was erased from archives, each of them still vouches for itself, but the receipt's digest
  no longer for them together: it covers rows that are gone.
- One archive at a time is in memory.
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
from housekeeping.declared.steps import TaskResult, no_checkpoint
from housekeeping.engine import archive, unpacking
from housekeeping.models import Archive, Run, RunQuerySet

VERIFY_AGAIN_AFTER = timedelta(days=30)
MOST_NAMED = 5  # damaged runs that a message or a page names
VERIFIED, INCOMPLETE, DIFFERS, ERASED = "verified", "incomplete", "differs", "erased"


class Damaged(Exception):
    """An archive does not hold what was written into it; the text explains why."""


@dataclass
class Report:
    """What was found out about the archives of a run.

    ``damaged``: by the key of an archive, what is wrong with it. ``receipts``: by policy, whether the
    receipt's digest matches. ``unvouched``: policies with archives of version 1.0 that nothing vouches
    for. ``chain``: by the key of an archive, the receipt's digest before and after it.
    """

    run: Run
    archives: int = 0
    missing: int = 0
    damaged: dict[int, str] = field(default_factory=dict)
    duplicates: int = 0
    receipts: dict[str, str] = field(default_factory=dict)
    unvouched: list[str] = field(default_factory=list)
    chain: dict[int, tuple[str, str]] = field(default_factory=dict)
    without_digest: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def findings(self) -> list[str]:
        """A sentence for each problem; empty if everything is intact."""
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


def content(archived: Archive) -> tuple[bytes, str]:
    """The packed rows of an archive, and the receipt's digest after it.

    An archive of version 1.0 does not name the digest before it; the chain then begins with it. Raises
    Damaged if the archive does not hold what was written.
    """
    try:
        packed = unpacking.unpacked(archived.payload)
        after = archive.digest(archived.before or archive.NOTHING, packed)
        if archived.digest is not None and archive.sealed(archived, after) != archived.digest:
            raise Damaged("its digest does not match")
        if archived.digest is None and unpacking.number_of_rows(packed, archived.vendor) != archived.rows:
            raise Damaged("the number of its rows does not match")
    except zstandard.ZstdError as error:
        raise Damaged(f"it can't be unpacked: {error}") from None
    except ValueError as error:
        raise Damaged(f"it can't be read: {error}") from None
    return packed, after


def look(run: Run, *, checkpoint: Callable[[], None] = no_checkpoint) -> Report:
    """Read all archives of ``run``, and change nothing. ``checkpoint`` is called before each archive."""
    report, chains = Report(run), dict[str, str | None]()
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    places: Counter[tuple[int | None, ...]] = Counter()
    for archived in _each(run):
        checkpoint()
        report.archives += 1
        if archived.digest is None:
            report.without_digest[archived.policy].append(archived.pk)
        else:
            places[archived.batch, archived.part, archived.position] += 1
        if archived.is_counted:
            rows[archived.policy][archived.model] += archived.rows
        chains[archived.policy] = _follow(report, archived, chains.get(archived.policy, archive.NOTHING))
    if in_undo_window().filter(pk=run.pk).exists() or run.undos.active().exists():
        report.missing = max((run.archives_kept or 0) - len(places), 0)
    report.duplicates = sum(places.values()) - len(places)
    for policy, chain in chains.items():
        _compare(report, policy, chain, rows[policy])
    return report


def _each(run: Run) -> Iterator[Archive]:
    for pk in run.archives.order_by("pk").values_list("pk", flat=True):
        if archived := Archive.objects.filter(pk=pk).first():
            yield archived


def _follow(report: Report, archived: Archive, chain: str | None) -> str | None:
    """Verify one archive. Returns the chain of digests after it, or None if the chain is broken."""
    try:
        packed, after = content(archived)
    except Damaged as why:
        report.damaged[archived.pk] = f"{archived.name}: {why}."
        return None
    before = archived.before or archive.NOTHING
    if archived.digest is None and chain is not None and chain != before:
        before, after = chain, archive.digest(chain, packed)
    report.chain[archived.pk] = (before, after)
    return after if chain == before and archived.part is None else None


def _compare(report: Report, policy: str, chain: str | None, rows: Counter[str]) -> None:
    receipt = report.run.receipt.get(policy, {})
    is_whole = rows == _counted(report.run, policy) and not report.missing
    matches = VERIFIED if chain == receipt.get("digest") else DIFFERS
    if archive.erased(report.run, policy):
        matches = ERASED  # no chain leads to the receipt's digest any more
    state = matches if is_whole else INCOMPLETE
    report.receipts[policy] = state
    if state != VERIFIED and report.without_digest[policy]:
        report.unvouched.append(policy)


def is_unvouched(run: Run) -> bool:
    """Whether ``run`` has archives of version 1.0 that nothing vouches for.

    Answered without reading them: they are unvouched if damage was found, or if some of the rows on the
    receipt are gone.
    """
    bare = set(run.archives.filter(digest=None).values_list("policy", flat=True))
    if not bare or run.archive_damage:
        return bool(bare)
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    archives = run.archives.counted().values_list("policy", "model")
    for policy, model, count in archives.annotate(count=Sum("rows")):
        rows[policy][model] = count
    return any(rows[policy] != _counted(run, policy) for policy in bare)


def _counted(run: Run, policy: str) -> Counter[str]:
    """The rows of each table that its archives must hold: those on the receipt, except erased ones."""
    return Counter(run.receipt.get(policy, {}).get("rows", {})) - archive.erased(run, policy)


# --- The findings, saved on the run -----------------------------------------------------------


def verify(run: Run, *, checkpoint: Callable[[], None] = no_checkpoint) -> Report:
    """Read all archives of ``run``, and save what was found on its row."""
    report = look(run, checkpoint=checkpoint)
    save(report)
    return report


def save(report: Report) -> None:
    """Save the findings on the run's row, for the verdict.

    Not if an undo has put archives back since they were counted: those are not missing.
    """
    same = Run.objects.filter(pk=report.run.pk, archives_kept=report.run.archives_kept)
    damage = "\n".join(report.findings()) or None
    same.update(archive_damage=damage, archives_verified_at=clock.Now())


def in_undo_window() -> RunQuerySet:
    """The runs whose undo window is open: all of their archives must be there.

    Expiry may stop halfway. A run with an expired archive is past its window.
    """
    archives = Archive.objects.filter(run=OuterRef("pk"))
    should_have = Q(archives_kept__gt=0, archives_expire_at__gt=clock.Now())
    runs = Run.objects.filter(Q(Exists(archives)) | should_have)
    return runs.exclude(Exists(archives.filter(expires_at__lte=clock.Now())))


def damaged_runs() -> list[Run]:
    """The newest runs with damaged or missing archives, until these expire."""
    return list(damaged()[:MOST_NAMED])


def damaged() -> RunQuerySet:
    """The runs with damaged or missing archives, the newest first."""
    return in_undo_window().filter(archive_damage__isnull=False).order_by("-requested_at")


def unverified() -> list[Run]:
    """The ended runs whose archives are due for a verification, the oldest first.

    Their undo window is open, and they were not verified recently or have lost archives since.
    """
    recently = (clock.Now() - VERIFY_AGAIN_AFTER, clock.Now() + conf.ahead())
    is_due = Q(archives_verified_at=None) | ~Q(archives_verified_at__range=recently)
    sealed = Archive.objects.filter(run=OuterRef("pk"), digest__isnull=False).order_by()
    place = Concat("batch", Value("/"), Coalesce("part", 0), Value("/"), "position", output_field=TextField())
    count = sealed.values("run").annotate(count=Count(place, distinct=True)).values("count")
    has_lost = Q(archive_damage=None, archives_kept__gt=Coalesce(Subquery(count), 0))
    due = in_undo_window().filter(is_due | has_lost).ended()
    return list(due.exclude(undos__in=Run.objects.active()).order_by("requested_at", "pk"))


def verify_new(checkpoint: Callable[[], None] = no_checkpoint) -> TaskResult:
    """Verify each run that is due for it. Damage counts as a failure of the task."""
    result = TaskResult(verified_runs=0, verified_archives=0, damaged_runs=0)
    result.failures = []
    for run in unverified():
        report = verify(run, checkpoint=checkpoint)
        result["verified_runs"] += 1
        result["verified_archives"] += report.archives
        if report.findings():
            result["damaged_runs"] += 1
            result.failures.append(Damaged(f"Run {run.pk}: {' '.join(report.findings())}"))
    result.failures = result.failures[:MOST_NAMED]
    return result
