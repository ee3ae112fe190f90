"""Random databases, and what a purge must leave of them, computed row by row.

Nothing here uses the engine. What happens to a row follows from the declared foreign keys alone.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connections, models, router, transaction
from django.utils import timezone
from hypothesis import strategies as st
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from chat.models import ChatMessage, Conversation, User
from housekeeping.declared.policies import Policy
from housekeeping.models import Act, Archive, Hold, LogLine, OpenCall, PlannedRows, Run, Tally
from tests.zoo.models import Animal, Contract, House, Keeper, Loan, Meal, Park, Passport, Visit

AS_OF = datetime(2026, 3, 8, 7, tzinfo=UTC)
WEEK, MONTH = timedelta(days=7), timedelta(days=30)

ZOO = ["parks", "proxies", "animals", "keepers", "houses", "meals"]  # policies of tests/zoo/tasks.py
CHAT = ["conversations", "messages", "users", "all"]


@dataclass
class World:
    """A task, the rows in the database, and the holds on some of them."""

    task: str
    rows: list[models.Model]
    holds: list[Hold] = field(default_factory=list)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # how hypothesis prints a world
        rows = [f"{type(row).__name__}({_facts(row)})" for row in self.rows]
        holds = [f"Hold({hold.model}, {hold.key!r}, {hold.until})" for hold in self.holds]
        printer.text("\n  ".join([f"World of {self.task}", *rows, *holds]))

    def create(self) -> None:
        """Replace everything in the database with this world."""
        with transaction.atomic(), transaction.atomic(using=connection_of(Park).alias):
            empty()
            for row in self.rows:
                row._state.adding, row._state.db = True, None
                row.save(force_insert=True)
            Hold.objects.bulk_create(self.holds)


def _facts(row: models.Model) -> str:
    values = {
        one.attname: getattr(row, one.attname) for one in row._meta.concrete_fields if not one.generated
    }
    return ", ".join(f"{name}={value!r}" for name, value in values.items() if value not in (None, ""))


def tables() -> list[type[models.Model]]:
    """All tables of the zoo and the chat, and the tables below those."""
    found = [model for app in ("zoo", "chat") for model in apps.get_app_config(app).get_models(True)]
    found += [Group, LogEntry, OutstandingToken, BlacklistedToken]
    return [model for model in found if not model._meta.proxy]


def connection_of(model: type[models.Model]) -> Any:
    """The zoo may live in another database."""
    return connections[router.db_for_write(model)]


def empty() -> None:
    for model in [*tables(), Archive, Hold, OpenCall, PlannedRows, LogLine, Run, Act, Tally]:
        with connection_of(model).cursor() as cursor:
            cursor.execute(f"DELETE FROM {cursor.db.ops.quote_name(model._meta.db_table)}")


# --- Random rows ------------------------------------------------------------------------------

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
words |= st.sampled_from(
    ["\\N", "\\.", "a\tb", "a\nb", "\r", '"', "'", "\\", "\\x41", "null", "%s", "{}", "é"]
)
MOMENT = timedelta(microseconds=1)
moments = st.sampled_from([-MOMENT, -MONTH, -MONTH, timedelta(), MOMENT])
ages = moments.map(lambda apart: AS_OF - MONTH + apart)
bytes_ = st.none() | st.binary(max_size=8)
floats = st.none() | st.floats(allow_nan=False)
decimals = st.none() | st.decimals(-(10**9), 10**9, places=5)
days = st.none() | st.dates(date(1, 1, 1))
bigs = st.integers(-(2**63), 2**63 - 1)
facts = st.none() | st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=3,
)
naps = st.none() | st.timedeltas(-timedelta(days=9999), timedelta(days=9999))


def one_of(keys: Any, *, nullable: bool = True) -> st.SearchStrategy[Any]:
    return st.sampled_from([*([None] if nullable else []), *keys])


def many(most: int, model: type[models.Model], **columns: Any) -> st.SearchStrategy[list[Any]]:
    """Up to ``most`` rows, with the keys 1, 2, …. The strategy of a column may depend on the key."""

    def row(key: int) -> st.SearchStrategy[Any]:
        drawn = {name: each(key) if callable(each) else each for name, each in columns.items()}
        return st.builds(model, id=st.just(key), **drawn)

    return st.integers(0, most).flatmap(lambda size: st.tuples(*map(row, range(1, size + 1))))


def named(text: str) -> Any:
    """A unique text for each key."""
    return lambda key: st.just(text.format(key))


@st.composite
def zoos(draw: Any) -> list[models.Model]:
    parks = [
        Park(id=key, name=f"{number}", opened_at=draw(ages))
        for number, key in enumerate(draw(st.sets(st.uuids(), min_size=1, max_size=3)))
    ]
    codes = draw(st.sets(words.filter(bool), max_size=3))
    houses = [House(code=code, park=draw(one_of(parks, nullable=False))) for code in codes]
    keepers = draw(many(2, Keeper, name=words, hired_at=ages))
    animals = draw(
        many(
            4,
            Animal,
            house=one_of(houses),
            park=one_of(parks),
            mate_id=lambda key: one_of(range(1, key + 1)),  # an earlier one, or itself
            guide=one_of(keepers),
            seen_at=ages,
            tag=lambda key: one_of([f"tag {key}"]),
            order=st.integers(-9, 9),
            number=bigs,
            weight=decimals,
            length=floats,
            chip=bytes_,
            facts=facts,
            nap=naps,
            born=days,
            fed_at=st.none() | st.times(),
            is_tame=one_of([True, False]),
        )
    )
    rows = [*parks, *houses, *keepers, *animals]
    rows += draw(many(3, Visit, park=one_of(parks), animal=one_of(animals)))
    if animals:
        some = one_of(animals, nullable=False)
        rows += [Passport(animal=one, stamp=draw(st.binary(max_size=4))) for one in draw(st.sets(some))]
        rows += draw(many(4, Meal, animal=some, house=one_of(houses), food=words))
        rows += draw(many(1, Loan, animal=some))
    if animals and keepers:
        pairs = draw(st.sets(st.tuples(some, one_of(keepers, nullable=False)), max_size=3))
        through = Animal.keepers.through
        rows += [through(id=key, animal=one, keeper=by) for key, (one, by) in enumerate(pairs, 1)]
    if houses:
        rows += draw(many(1, Contract, house=one_of(houses, nullable=False)))
    return rows


@st.composite
def chats(draw: Any) -> list[models.Model]:
    rows: list[models.Model] = [Group(id=1, name="a group")]
    users = draw(
        many(
            3,
            User,
            username=named("user {}"),
            email=named("{}@example.com"),
            is_active=st.booleans(),
            last_login=st.none() | ages,
            date_joined=moments.map(lambda apart: AS_OF - WEEK + apart),
        )
    )
    rows += users
    talks: list[Conversation] = []
    if users:
        some = one_of(users, nullable=False)
        talks = draw(many(4, Conversation, user=some, title=words, created_at=ages, last_message_at=ages))
        rows += talks
        rows += [User.groups.through(id=one.pk, user=one, group_id=1) for one in draw(st.sets(some))]
        rows += draw(
            many(2, LogEntry, user=some, action_flag=st.just(1), action_time=ages, object_repr=words)
        )
    tokens = draw(many(2, OutstandingToken, user=one_of(users), jti=named("{}"), expires_at=ages))
    rows += [*tokens, *(BlacklistedToken(id=one.pk, token=one, blacklisted_at=AS_OF) for one in tokens[:1])]
    roles = st.sampled_from(ChatMessage.Role.values)
    return [
        *rows,
        *draw(many(6, ChatMessage, conversation=one_of(talks), role=roles, content=words, created_at=ages)),
    ]


@st.composite
def worlds(draw: Any, *, least_holds: int = 0) -> World:
    in_zoo = draw(st.booleans())
    rows = draw(zoos() if in_zoo else chats())
    task = draw(st.sampled_from(ZOO if in_zoo else CHAT))
    hold = st.builds(
        lambda row, until: Hold(model=row._meta.label, key=str(row.pk), reason="A dispute", until=until),
        st.sampled_from(rows or [Group(id=1)]),
        st.sampled_from([None, timezone.now() - MONTH, timezone.now() + MONTH]),
    )
    return World(task, rows, draw(st.lists(hold, min_size=least_holds, max_size=2)))


def full() -> World:
    """Two parks to delete, with rows of nearly every table below them, and one park that stays."""
    old = AS_OF - 2 * MONTH
    parks = [Park(id=uuid.UUID(int=number), opened_at=old) for number in (1, 2)]
    young = Park(id=uuid.UUID(int=3), opened_at=AS_OF)
    houses = [House(code=f"a\t{park.pk.int}", park=park) for park in (*parks, young)]
    keeper = Keeper(id=1, name="Noah")
    animals = [
        Animal(id=1, house=houses[0], park=parks[1], chip=b"\0"),
        Animal(id=2, house=houses[1], mate_id=1, guide=keeper, length=0.1),
        Animal(id=3, house=houses[2], mate_id=2),
    ]
    rows = [*parks, young, *houses, keeper, *animals, Passport(animal=animals[0], stamp=b"x")]
    rows += [Meal(id=1, animal=animals[0], house=houses[1]), Meal(id=2, animal=animals[2], house=houses[2])]
    rows += [Visit(id=1, park=parks[0], animal=animals[1]), Visit(id=2, park=young)]
    rows += [Animal.keepers.through(id=1, animal=animals[1], keeper=keeper)]
    return World("parks", rows)


# --- What is in the database, and what a purge leaves -------------------------------------------

Row = tuple[type[models.Model], Any]  # a table, and a key as the database stores it
Rows = dict[Row, dict[str, Any]]


def everything() -> Rows:
    """Every column of every row, as the database stores it."""
    found = {}
    for model in tables():
        with connection_of(model).cursor() as cursor:
            cursor.execute(f"SELECT * FROM {cursor.db.ops.quote_name(model._meta.db_table)}")
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                row = {name: _plain(value) for name, value in zip(names, values, strict=True)}
                found[model, row[model._meta.pk.column]] = row
    return found


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def roots(policy: Policy, cutoff: datetime) -> list[Row]:
    """The rows that are expired by the policy."""
    key = policy.model._meta.pk
    return [
        (policy.model, key.get_db_prep_value(pk, connection_of(policy.model)))
        for pk in policy.rows(cutoff).values_list("pk", flat=True)
    ]


def keys_of(model: type[models.Model]) -> list[models.ForeignKey[Any, Any]]:
    return [one for one in model._meta.concrete_fields if isinstance(one, models.ForeignKey)]


def hanging(rows: Rows, row: Row, *, how: Any) -> Iterator[tuple[Row, str]]:
    """The rows that point at ``row`` by a foreign key with this on_delete, and its column."""
    for model, key in rows:
        for one in keys_of(model):
            target = one.related_model._meta.concrete_model
            if (
                target is row[0]
                and one.remote_field.on_delete in how
                and rows[model, key][one.column] == row[1]
            ):
                yield (model, key), one.column


def below(rows: Rows, row: Row) -> set[Row]:
    """The row, and all rows that are deleted with it."""
    found, new = set(), {row}
    while new:
        found |= new
        new = {one for each in new for one, _ in hanging(rows, each, how=[models.CASCADE])} - found
    return found


def above(rows: Rows, row: Row) -> set[Row]:
    """The row, and all rows whose deletion would delete it."""
    found, new = set(), {row}
    while new:
        found |= new
        new = {
            (one.related_model._meta.concrete_model, rows[each][one.column])
            for each in new
            for one in keys_of(each[0])
            if one.remote_field.on_delete is models.CASCADE and rows[each][one.column] is not None
        } & rows.keys() - found
    return found


def held(rows: Rows) -> set[Row]:
    """The rows that an active hold names."""
    named = {(hold.model, hold.key) for hold in Hold.objects.active(timezone.now())}
    return {(model, key) for model, key in rows if (model._meta.label, _written(model, key)) in named}


def _written(model: type[models.Model], key: Any) -> str:
    """A key as an operator writes it."""
    pk: Any = model._meta.pk
    while isinstance(pk, models.ForeignKey):
        pk = pk.target_field
    return str(uuid.UUID(str(key)) if isinstance(pk, models.UUIDField) else key)


def purged(rows: Rows, expired: list[Row]) -> tuple[Rows, list[Row]]:
    """The rows that are left after a purge of ``expired``, and those of ``expired`` that it deletes."""
    kept = held(rows)
    going = [row for row in expired if _may_go(rows, row, kept)]
    gone = {one for row in going for one in below(rows, row)}
    left = {row: dict(values) for row, values in rows.items() if row not in gone}
    for row in gone:
        for other, column in hanging(rows, row, how=[models.SET_NULL]):
            if other in left:
                left[other][column] = None
    return left, going


def _may_go(rows: Rows, row: Row, kept: set[Row]) -> bool:
    all_of_it = below(rows, row)
    reached = {one for each in all_of_it for one in above(rows, each)}
    protected = any(
        True for one in all_of_it for _ in hanging(rows, one, how=[models.PROTECT, models.RESTRICT])
    )
    return not protected and not reached & kept
