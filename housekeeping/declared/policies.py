"""Policies: which rows expire, and how long rows are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from numbers import Integral, Real
from typing import Any

from django.db.models import F, Model, QuerySet
from django.db.models.expressions import Combinable

from housekeeping.database import chosen
from housekeeping.declared import columns
from housekeeping.declared.ends import Anonymise, End, Export
from housekeeping.declared.owners import ByOwner
from housekeeping.models import PolicyState

# A cutoff that every row is older than. A day before the calendar's end: Django converts it to TIME_ZONE for
# an age that is a date.
FAR = datetime(9999, 12, 30, tzinfo=UTC)

ORDERS = [[], [Export], [Anonymise], [Export, Anonymise]]


@dataclass(frozen=True)
class Policy:
    """Rows that are kept for ``retention`` and deleted afterwards, or what ``then`` says.

    ``rows(cutoff)`` returns the rows that had expired at ``cutoff``: an unsliced queryset of one
    model that contains each row once. Without a retention, the cutoff is the moment of the run
    itself. ``age``: the column (best with an index) or expression that a row's age counts from. It may
    be a column of a row that it refers to: ``conversation__updated_at``. Rows without an age go first.
    ``shortest_days``: the shortest retention that an operator may set. ``is_upkeep``: the policy is
    about housekeeping's own rows, which are neither archived nor braked. ``deletes_files``: whether the
    files that file fields of deleted rows name are deleted, too, once the rows can't be put back. ``check``
    warns if such a policy does not say.

    ``keep_newest`` and ``of_each``: of those that ``rows`` returns, the newest so many rows of each owner
    stay. ``of_each`` names the owner's column, or several: ``("user", "kind")``. All rows of the table
    count, and those without an owner or an age stay.

    ``retention_by``, in place of ``retention``: each owner has a retention of its own, and operators can't
    change it. ``rows`` then gets the cutoff of ``shortest_days``, and of what it returns, rows whose
    ``age``, a moment, is past the retention of their owner go.

    ``at_most``, in place of all these: the oldest rows go until the table has so many. Rows without an
    age stay and do not count.

    ``on_deleted(keys)`` is called after each batch, with the keys of the policy's own rows in it: once,
    or again after a crash or an error, which is the run's failure.

    ``send_signals``: whether Django's ``pre_delete`` and ``post_delete`` are sent for each row that
    somebody listens for. It is slower, as these rows are read one by one. ``check`` warns if there are
    such receivers and the policy does not say.

    ``then``: what becomes of expired rows instead, such as :func:`anonymise` or :func:`export`, or both in
    a list, in this order.
    """

    name: str
    rows: Callable[[datetime], QuerySet[Any]]
    retention: timedelta | None = None
    age: str | Callable[[], Combinable] = "pk"
    is_upkeep: bool = False
    shortest_days: int = 1
    deletes_files: bool | None = None
    keep_newest: int = 0
    of_each: str | tuple[str, ...] = ()
    retention_by: ByOwner | None = None
    at_most: int = 0
    on_deleted: Callable[[list[Any]], object] | None = None
    send_signals: bool | None = None
    then: End | Sequence[End] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.then, End):  # a policy is a key in dictionaries, and a list can't be
            object.__setattr__(self, "then", tuple(self.then))
        if [type(one) for one in self.ends] not in ORDERS:
            raise ValueError(
                f"The policy {self.name!r} can have one export, one anonymise, or both in this order."
            )
        self._check_kinds()
        if bool(self.keep_newest) != bool(self.of_each):
            raise ValueError(
                f"The policy {self.name!r} has to have both keep_newest, a number, and of_each, a column."
            )
        if self.retention and self.retention_by:
            raise ValueError(f"The policy {self.name!r} has both retention and retention_by: remove one.")
        if self.at_most and (self.retention or self.retention_by or self.keep_newest):
            raise ValueError(
                f"The policy {self.name!r} can have at_most, a number, or other rules, not both."
            )

    def _check_kinds(self) -> None:
        """Pages compute with these: with days in place of the retention, each of them would fail."""
        if self.retention is not None and not isinstance(self.retention, timedelta):
            raise ValueError(
                f"The policy {self.name!r} needs a timedelta as its retention, such as timedelta(days=30):"
                f" {self.retention!r} is none."
            )
        for name, kind in (("keep_newest", Integral), ("at_most", Integral), ("shortest_days", Real)):
            if not isinstance(number := getattr(self, name), kind) or number < 0:
                what = "a whole number" if kind is Integral else "a number"
                raise ValueError(
                    f"The policy {self.name!r} needs {name}, {what} of 0 or more: {number!r} is none."
                )

    def more_rules(self) -> list[Any]:
        """What else decides which rows expire, as a figure that depends on it is marked with it."""
        if self.at_most:
            return [self.at_most]
        rules = [self.keep_newest, *self.owner_names] if self.keep_newest else []
        by = self.retention_by
        rules += [str(self.anonymises.done)] if self.anonymises else []
        return [*rules, by.owner, by.kept if isinstance(by.kept, str) else "", by.otherwise] if by else rules

    @property
    def ends(self) -> Sequence[End]:
        """What becomes of its expired rows, in this order. They are deleted unless one says otherwise."""
        return (self.then,) if isinstance(self.then, End) else self.then

    @property
    def anonymises(self) -> Anonymise | None:
        """How its rows are changed, if they stay."""
        return next((one for one in self.ends if isinstance(one, Anonymise)), None)

    @property
    def exports(self) -> Export | None:
        """Where its rows are written to before anything else becomes of them."""
        return next((one for one in self.ends if isinstance(one, Export)), None)

    def told(self) -> dict[str, str]:
        """For plans and receipts: what becomes of its rows, if they are not deleted."""
        return {"then": "anonymise"} if self.anonymises else {}

    @property
    def counts_newer(self) -> bool:
        """Does it depend on newer rows whether a row stays? Then any new row may make another one expire."""
        return bool(self.keep_newest or self.at_most)

    @property
    def owner_names(self) -> tuple[str, ...]:
        """The columns of ``of_each``."""
        return (self.of_each,) if isinstance(self.of_each, str) else tuple(self.of_each)

    def age_of(self) -> Combinable:
        """The expression by which a purge orders the rows, oldest first."""
        return F(self.age) if isinstance(self.age, str) else self.age()

    def may_lack_age(self) -> bool:
        """Might the age of a row be null?"""
        return columns.may_be_null(self.model, self.age_of())

    @property
    def model(self) -> type[Model]:
        """The model of the table, even if ``rows`` is a queryset of a proxy."""
        model = self.rows(FAR).model
        return model._meta.concrete_model or model

    @property
    def database(self) -> str:
        """The alias of the database that its rows are written to."""
        return chosen.of(self.rows(FAR))

    @property
    def known_model(self) -> type[Model] | None:
        """The model; None if the policy raises an error, for callers that can work without it."""
        try:
            return self.model
        except Exception:  # the project's own code may raise anything
            return None

    @property
    def model_name(self) -> str:
        """``chat.Conversation``"""
        return self.model._meta.label

    def in_words(self, rows: int) -> str:
        """A number of the policy's rows in words: ``5 conversations``."""
        names = self.model._meta
        return f"{rows:,} {names.verbose_name if rows == 1 else names.verbose_name_plural}"

    def retention_in_force(self) -> timedelta | None:
        """The retention that an operator has set, else the declared one. None if the policy has none."""
        return self.retention_with(PolicyState.objects.filter(name=self.name).first())

    def retention_with(self, state: PolicyState | None) -> timedelta | None:
        """The retention in force, for a caller that has read the policy's state already."""
        if self.retention is None or state is None or state.retention_days is None:
            return self.retention
        return timedelta(days=state.retention_days)

    def cutoff(self, as_of: datetime) -> datetime:
        """The cutoff of a run whose moment is ``as_of``, by the retention in force."""
        return cutoff_for(self.retention_in_force(), as_of)


def cutoff_for(retention: timedelta | None, as_of: datetime) -> datetime:
    """The moment, in UTC, before which rows are expired. Without a retention it is ``as_of`` itself.

    A day of retention is 24 hours of elapsed time, even if the local clock was changed.
    """
    return as_of.astimezone(UTC) - (retention or timedelta())


def in_days(retention: timedelta | None) -> float | None:
    """A retention as a number of days: an int if it is whole."""
    if retention is None:
        return None
    days = retention / timedelta(days=1)
    return int(days) if days == int(days) else round(days, 6)
