"""The pages of erasures, and the question before one begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.utils.translation import gettext, gettext_lazy, ngettext

from housekeeping.dashboard import polls
from housekeeping.dashboard.questions import Question
from housekeeping.database import clock
from housekeeping.declared.personal import Person
from housekeeping.erasure.requests import TASK, Preview
from housekeeping.models import Consumer, Erasure
from housekeeping.reading import search, words

# After so long without a consumer, the page tells how to carry an erasure out by hand.
UNATTENDED = timedelta(seconds=5)


@dataclass(frozen=True)
class Words:
    """What pages say of a state. ``colour``: that of a run's state."""

    name: Any
    colour: str
    level: str
    standing: Any


STATES = {
    Erasure.State.REQUESTED: Words(
        gettext_lazy("requested"), "queued", "info", gettext_lazy("It waits for a consumer.")
    ),
    Erasure.State.RUNNING: Words(
        gettext_lazy("running"),
        "running",
        "info",
        gettext_lazy("It is under way. If it is interrupted, it goes on by itself."),
    ),
    Erasure.State.FINISHED: Words(
        gettext_lazy("finished"),
        "succeeded",
        "success",
        gettext_lazy("The person is erased. This certificate names nobody."),
    ),
    Erasure.State.STOPPED: Words(
        gettext_lazy("stopped"), "failed", "error", gettext_lazy("Nothing was changed.")
    ),
}


@dataclass(frozen=True)
class Line:
    erasure: Erasure

    @property
    def state(self) -> Words:
        return STATES[Erasure.State(self.erasure.state)]

    @property
    def rows(self) -> int:
        return sum([*self.erasure.rows.values(), *self.erasure.archived.values()])


@dataclass(frozen=True)
class ErasureList:
    lines: list[Line]
    older: str


@dataclass(frozen=True)
class ErasurePage:
    """``parts``: titles, each with numbers by table. ``left``: columns that still name the person."""

    line: Line
    parts: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    command: str = ""

    @property
    def erasure(self) -> Erasure:
        return self.line.erasure


def read_list(places: Mapping[str, str]) -> ErasureList:
    shown, _ = search.slice_or_newest(
        Erasure.objects.order_by("-requested_at", "-id"), "requested_at", {"older": places.get("older")}
    )
    return ErasureList([Line(one) for one in shown.rows], shown.older)


def read(erasure: Erasure) -> ErasurePage:
    certificate = erasure.certificate or {}
    return ErasurePage(
        line=Line(erasure),
        parts=[
            (title, [(table, words.number(rows)) for table, rows in sorted(counts.items())])
            for title, counts in (
                (gettext("Deleted"), erasure.rows),
                (gettext("Erased from archives"), erasure.archived),
                (gettext("Erased from exports"), erasure.exported),
                (gettext("Deleted files"), erasure.files),
                (gettext("Changed"), erasure.changed),
            )
            if counts
        ],
        left=[
            (column, gettext("not counted") if rows < 0 else words.number(rows))
            for column, rows in certificate.get("left", {}).items()
        ],
        not_reached=[gettext(text) for text in certificate.get("not_reached", ())],
        command=f"python manage.py run_housekeeping --task {TASK}" if _is_unattended(erasure) else "",
    )


def fingerprint(erasure: Erasure) -> str:
    counts = [erasure.rows, erasure.archived, erasure.exported, erasure.files, erasure.changed]
    return polls.fingerprint(erasure.state, counts, erasure.reason, _is_unattended(erasure))


def _is_unattended(erasure: Erasure) -> bool:
    now = clock.roughly()
    is_waiting = erasure.is_open and now - erasure.requested_at > UNATTENDED
    return is_waiting and not Consumer.objects.alive(now).exists()


def _plural(label: str) -> str:
    return str(apps.get_model(label)._meta.verbose_name_plural)


def _who(person: Person) -> list[tuple[str, str]]:
    """What tells this account from another one with a similar name."""
    return [(gettext("Key"), person.key), *((gettext("Mail address"), one) for one in person.addresses)]


def question(preview: Preview, typed: str) -> Question:
    """Before a person is erased. ``typed``: what the account was looked for by."""
    copies = ngettext(
        "Also searches %(n)s archive, and all plans, holds, logs and results.",
        "Also searches %(n)s archives, and all plans, holds, logs and results.",
        preview.archives,
    ) % {"n": words.number(preview.archives)}
    effects = [copies, gettext("It can't be undone: no archive is made.")]
    if preview.is_archived:
        effects.insert(0, gettext("A purge has deleted the account: it lives only in archives."))
    rows = [(_plural(table), words.number(rows)) for table, rows in sorted(preview.rows.items())]
    if preview.files:
        rows.append((gettext("Files"), words.number(preview.files.total())))
    return Question(
        gettext("Erase “%(name)s” for good?") % {"name": preview.person.name},
        effects,
        gettext("Erase"),
        facts=[*_who(preview.person), *rows],
        fields=[("account", typed)],
        phrase=preview.person.name,
    )
