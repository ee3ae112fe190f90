"""Random rows of the shapes, and what Django itself would leave of them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, models, transaction
from hypothesis import strategies as st

from housekeeping.declared import generic
from housekeeping.declared.policies import Policy
from housekeeping.models import Act, Archive, Hold, LogLine, PlannedRows, Run, Tally
from tests.shapes.models import (
    Badge,
    Bar,
    Business,
    Comment,
    Day,
    Device,
    Fine,
    Host,
    Hotel,
    Job,
    Like,
    Lock,
    Locker,
    Medal,
    Menu,
    Note,
    Page,
    Part,
    Pizzeria,
    Place,
    Quote,
    Restaurant,
    Review,
    Sailor,
    Scan,
    Ship,
    Stage,
    Tag,
    Tax,
    Team,
    Visit,
    Vote,
)

AS_OF = datetime(2026, 3, 8, 7, tzinfo=UTC)
MONTH = timedelta(days=30)
OLD = AS_OF - 2 * MONTH


def of(name: str, model: type[models.Model], age: str, **where: Any) -> Policy:
    return Policy(name, lambda cutoff: model.objects.filter(**{f"{age}__lt": cutoff}, **where), MONTH, age)


POLICIES = [
    of("badges", Badge, "team__founded_at"),
    of("teams", Team, "founded_at"),
    of("devices", Device, "made_at"),
    of("comments", Comment, "written_at"),
    of("ships", Ship, "built_at"),
    of("places", Place, "opened_at"),
    of("restaurants", Restaurant, "opened_at"),
    of("hotels", Hotel, "opened_at"),
    of("businesses", Business, "founded_at"),
    of("pages", Page, "fetched_at"),
    of("hosts", Host, "seen_at"),
    of("stages", Stage, "built_at"),
    Policy("days", lambda cutoff: Day.objects.filter(date__lt=cutoff.date()), MONTH, "date"),
]


def tables() -> list[type[models.Model]]:
    return list(apps.get_app_config("shapes").get_models(include_auto_created=True))


def everything() -> dict[Any, Any]:
    """Every column of every row, as the database stores it."""
    found = {}
    with connection.cursor() as cursor:
        for model in tables():
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                found[model.__name__, row[model._meta.pk.column]] = row
    return found


@contextmanager
def taken_back() -> Iterator[None]:
    """What is done in it is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def as_django_would(policy: Policy, cutoff: datetime) -> tuple[dict[Any, Any], set[Any]]:
    """What ``delete()`` would leave of the database, and the policy's rows, by key, that it would refuse."""
    connection.check_constraints()  # and let them wait until the end again, within a transaction
    refused = set()
    for row in policy.rows(cutoff):
        try:
            with taken_back():
                key = row.pk
                delete(row)
                connection.check_constraints()
        except IntegrityError:
            refused.add(key)
    with taken_back():
        delete(policy.rows(cutoff).exclude(pk__in=refused))
        return everything(), refused


def delete(rows: Any) -> None:
    """As Django does, and then what named one of the rows that are gone, where generic_rows says so."""
    before = everything()
    rows.delete()
    gone = {(model, str(key)) for model, key in before.keys() - everything().keys()}
    for one in generic.declared():
        kind, number = one.relation.content_type_field_name, one.relation.object_id_field_name
        for row in one.model.objects.select_related(kind):
            named = getattr(row, kind).model_class()
            key = str(getattr(row, number)).replace("-", "") if on_sqlite() else str(getattr(row, number))
            if issubclass(named, one.of) and (named.__name__, key) in gone:
                row.delete()


def on_sqlite() -> bool:
    return connection.vendor == "sqlite"


def kind(model: type[models.Model]) -> ContentType:
    return ContentType.objects.get_for_model(model)


# --- Random rows ------------------------------------------------------------------------------

moments = st.sampled_from([OLD, AS_OF])


@dataclass
class World:
    """A task, and the rows in the database."""

    task: str
    rows: list[models.Model]

    @property
    def policy(self) -> Policy:
        return next(policy for policy in POLICIES if policy.name == self.task)

    def create(self) -> None:
        """Replace everything in the database with this world."""
        with transaction.atomic():
            empty()
            for row in self.rows:
                row._state.adding = True
                row.save_base(raw=True, force_insert=True)  # of a model that inherits, only its own part


def empty() -> None:
    with connection.cursor() as cursor:
        for model in [*tables(), Archive, Hold, PlannedRows, LogLine, Run, Act, Tally]:
            cursor.execute(f'DELETE FROM "{model._meta.db_table}"')


def one_of(rows: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *rows])


@st.composite
def worlds(draw: Any, only: str = "") -> World:
    name = only or draw(st.sampled_from(["badges", "devices", "comments", "ships", "town"]))
    rows = draw(KINDS[name]())
    tasks = {"badges": ["badges", "teams"], "town": ["places", "restaurants", "hotels", "businesses"]}
    return World(draw(st.sampled_from(tasks.get(name, [name]))), rows)


def some(draw: Any, model: type[models.Model], most: int, **columns: Any) -> list[Any]:
    """Up to ``most`` rows, with the keys 1, 2, …; a column may be a function of the key."""
    size = draw(st.integers(0, most))
    keys = [uuid.UUID(int=key) if model in (Device, Sailor) else key for key in range(1, size + 1)]
    return [
        model(pk=key, **{name: draw(of(key) if callable(of) else of) for name, of in columns.items()})
        for key in keys
    ]


@st.composite
def badges(draw: Any) -> list[models.Model]:
    teams = some(draw, Team, 3, name=lambda key: st.just(f"team {key + 10}"), founded_at=moments)
    for team in teams:
        team.pk += 10
    found = some(draw, Badge, 4, code=lambda key: st.just(f"code {key}"), team=one_of(teams))
    rows = [Team(id=1, name="the default", founded_at=AS_OF), *teams, *found]
    for model in (Scan, Fine, Locker) if found else ():
        rows += some(draw, model, 1 if model is Fine else 3, badge=st.sampled_from(found))
    if teams:
        rows += some(draw, Job, 2, team=st.sampled_from(teams))
        rows += some(draw, Visit, 2, team=st.sampled_from(teams))
    return rows


@st.composite
def devices(draw: Any) -> list[models.Model]:
    found = some(draw, Device, 3, made_at=moments)
    parts = some(draw, Part, 3, device=st.sampled_from(found)) if found else []
    owners = st.sampled_from([(Device, 1), (Device, 2), (Part, 1), (Part, 2), (Comment, 1)])
    tags = some(draw, Tag, 5)
    for tag in tags:
        model, key = draw(owners)
        tag.content_type = kind(model)
        tag.object_id = str(uuid.UUID(int=key) if model is Device else key)
    notes = some(draw, Note, 2, number=st.integers(1, 3))
    for note in notes:
        note.kind = kind(draw(st.sampled_from([Part, Device])))
    rows = [*found, *parts, *tags, *notes]
    for model in (Vote, Lock) if tags else ():
        rows += some(draw, model, 1 if model is Lock else 3, tag=st.sampled_from(tags))
    return rows


@st.composite
def comments(draw: Any) -> list[models.Model]:
    any_of_them = st.none() | st.integers(1, 6)
    found = some(draw, Comment, 6, written_at=moments, parent_id=any_of_them)
    for comment in found:
        comment.parent_id = comment.parent_id if (comment.parent_id or 0) <= len(found) else None
    rows: list[models.Model] = list(found)
    for model in (Like, Quote) if found else ():
        rows += some(draw, model, 1 if model is Quote else 3, comment=st.sampled_from(found))
    tags = some(draw, Tag, 4, object_id=st.integers(1, 6).map(str))
    for tag in tags:
        tag.content_type = kind(draw(st.sampled_from([Comment, Like, Tag])))
    for model in (Vote, Lock) if tags else ():
        rows += some(draw, model, 1, tag=st.sampled_from(tags))
    return rows + tags


@st.composite
def ships(draw: Any) -> list[models.Model]:
    found = some(draw, Ship, 3, built_at=moments)
    sailors = some(draw, Sailor, 4, ship=st.sampled_from(found)) if found else []
    for ship in found:
        captain = draw(one_of(sailors))
        ship.captain_id = captain and captain.pk
    medals = some(draw, Medal, 3, sailor=st.sampled_from(sailors)) if sailors else []
    return [*found, *sailors, *medals]


@st.composite
def town(draw: Any) -> list[models.Model]:
    """Rows of models that inherit, and of the tables that they inherit from; each part once."""
    places = some(draw, Place, 6, opened_at=moments, near_id=st.none() | st.integers(1, 6))
    for place in places:
        place.near_id = place.near_id if (place.near_id or 0) <= len(places) else None
    found = some(draw, Business, 3, founded_at=moments)
    rows: list[models.Model] = [*places, *found]
    hotels = iter(found)
    for place in places:
        model = draw(st.sampled_from([Place, Restaurant, Pizzeria, Bar, Hotel]))
        if model is Pizzeria:
            rows.append(Restaurant(place_ptr_id=place.pk))
            rows.append(Pizzeria(restaurant_ptr_id=place.pk))
        elif model is Hotel:
            if business := next(hotels, None):
                rows.append(Hotel(place_ptr_id=place.pk, business_ptr_id=business.pk))
        elif model is not Place:
            rows.append(model(place_ptr_id=place.pk))
        if draw(st.booleans()):
            rows.append(Tag(pk=place.pk, content_type=kind(model), object_id=str(place.pk)))
    restaurants = [row for row in rows if isinstance(row, Restaurant) and not isinstance(row, Pizzeria)]
    rows += some(draw, Review, 3, place=st.sampled_from(places)) if places else []
    rows += (
        some(draw, Menu, 2, restaurant_id=st.sampled_from([row.place_ptr_id for row in restaurants]))
        if restaurants
        else []
    )
    rows += some(draw, Tax, 1, business=st.sampled_from(found)) if found else []
    return rows


KINDS: Any = {"badges": badges, "devices": devices, "comments": comments, "ships": ships, "town": town}
