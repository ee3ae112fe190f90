"""How objects of JSON are declared: each field once, both to write it and to describe it.

    class Consumer(Object[models.Consumer]):
        id = Id("pk")
        host = Text()
        stopped_at = Moment(nullable=True)
        alive = Flag(GIVEN)

``Consumer.of(row, alive=True)`` writes the row as a dict for JSON. The API generates its description
from the same fields. Nothing here needs Django REST framework, as commands print the same objects.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar, Generic, TypeVar

from django.utils import timezone
from django.utils.functional import Promise

from housekeeping import addresses

Facts = dict[str, Any]
Source = TypeVar("Source")
Read = Callable[[Any], Any]
Write = Callable[[Any], Any] | None
Reads = str | Read | None  # how a field is read: see Field


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in TIME_ZONE, with its offset: ``2025-12-17T02:00:00+00:00``.

    Also where the project's middleware has activated another zone for a visitor.
    """
    return moment.astimezone(timezone.get_default_timezone()).isoformat() if moment else None


def itself(source: Any) -> Any:
    """Read a field from the source as a whole, not from an attribute."""
    return source


def GIVEN(source: Any) -> None:  # noqa: N802 - used as a constant
    """The field is not read: the caller of :meth:`Object.of` gives its value, as JSON."""


def STORED(source: Any) -> None:  # noqa: N802 - used as a constant
    """The field is not read: it is part of the JSON that a :class:`Stored` object passes on."""


class Field:
    """One field of an object.

    ``read``: where the value comes from: an attribute of the source (dots are followed), a function
    of the source, GIVEN or STORED. By default it is the attribute with the field's name.
    ``optional``: the field is left out if its value is None.
    """

    # Converts a value other than None to JSON. None: the value is JSON already.
    write: Write = None

    def __init__(
        self, read: Reads = None, *, nullable: bool = False, optional: bool = False, help: str | Promise = ""
    ) -> None:
        self.read, self.nullable, self.optional, self.help = read, nullable, optional, help


class Whole(Field):
    """A whole number."""


class Number(Field):
    """A number that may have a fraction."""


class Flag(Field):
    """True or false."""


class AnyObject(Field):
    """An object whose fields are not described. Its value is JSON already."""


class AnyValue(Field):
    """Any value of JSON, null among them. It is JSON already."""


class Text(Field):
    """``choices``: all values it can have. If it is ``nullable``, an empty text is written as null."""

    def __init__(self, read: Reads = None, *, choices: Sequence[str] = (), **options: Any) -> None:
        super().__init__(read, **options)
        self.choices = choices


class Id(Field):
    """The key of a row: a UUID."""

    write: Write = str


class Moment(Field):
    """A moment in TIME_ZONE."""

    write: Write = staticmethod(iso)


class Day(Field):
    write: Write = staticmethod(date.isoformat)


class Address(Field):
    """The path of an object on the API. ``view``: the name of its URL."""

    def __init__(self, view: str, read: Reads = "pk", **options: Any) -> None:
        super().__init__(read, **options)
        self.write = partial(addresses.api, view)


class Map(Field):
    """An object with any names, whose values are of one kind. Its value is JSON already."""

    def __init__(self, of: Field, read: Reads = None, **options: Any) -> None:
        super().__init__(read, **options)
        self.values = of


class One(Field):
    """An object within the object."""

    def __init__(self, of: "type[Object[Any]]", read: Reads = None, **options: Any) -> None:
        super().__init__(read, **options)
        self.shape, self.write = of, of.of


class Many(Field):
    """A list of objects, or of values of one kind."""

    def __init__(self, of: "type[Object[Any]] | Field", read: Reads = None, **options: Any) -> None:
        super().__init__(read, **options)
        self.each = of
        write = of.write if isinstance(of, Field) else of.of
        self.write = (lambda values: [write(one) for one in values]) if write else list


class Object(Generic[Source]):
    """A kind of object, by its fields. The docstring of a subclass describes it.

    ``fields``: further ones, whose names may be the same as those of a class's attributes.
    """

    declared: ClassVar[dict[str, Field]] = {}
    writer: ClassVar["Writer"]

    def __init_subclass__(cls, fields: Mapping[str, Field] | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = {name: field for name, field in vars(cls).items() if isinstance(field, Field)}
        cls.declared = cls.declared | own | dict(fields or {})
        cls.writer = Writer(cls.declared)

    @classmethod
    def of(cls, source: Source, **given: Any) -> Facts:
        """``source`` as an object for JSON. ``given``: fields that are not read from it, as JSON."""
        return cls.writer.write(source, given)


class Writer:
    """Writes objects of one kind.

    A page has fifty runs of 27 fields, so the fields are sorted beforehand: one call reads all
    attributes, and only a value that isn't JSON yet costs another call.
    """

    def __init__(self, fields: dict[str, Field]) -> None:
        read = {name: field for name, field in fields.items() if field.read is not STORED}
        attributes = {name: field.read or name for name, field in read.items() if not callable(field.read)}
        self.blank = dict.fromkeys(read)
        self.names, self.get = tuple(attributes), _getter([str(path) for path in attributes.values()])
        self.functions = [(name, field.read) for name, field in read.items() if callable(field.read)]
        self.texts = [name for name, field in read.items() if isinstance(field, Text) and field.nullable]
        self.moments = [name for name, field in read.items() if type(field) is Moment]
        self.writes = [
            (name, field.write) for name, field in read.items() if field.write and name not in self.moments
        ]
        self.given = {name for name, field in read.items() if field.read is GIVEN and not field.optional}
        self.optional = [name for name, field in read.items() if field.optional]

    def write(self, source: Any, given: Facts) -> Facts:
        facts: Facts = self.blank.copy()
        facts.update(zip(self.names, self.get(source), strict=True))
        for name, read in self.functions:
            facts[name] = read(source)
        for name in self.texts:
            facts[name] = facts[name] or None
        if self.moments:
            zone = timezone.get_default_timezone()
            for name in self.moments:
                if (moment := facts[name]) is not None:
                    facts[name] = moment.astimezone(zone).isoformat()
        for name, write in self.writes:
            if (value := facts[name]) is not None:
                facts[name] = write(value)
        for name in self.optional:
            if facts[name] is None:
                del facts[name]
        if self.given and not self.given <= given.keys():
            raise TypeError(f"Give a value of {', '.join(sorted(self.given - given.keys()))}.")
        if given:
            facts.update(given)
        return facts


def _getter(paths: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """``attrgetter``, but it returns a tuple for one attribute and for none, too."""
    if not paths:
        return lambda source: ()
    get: Any = attrgetter(*paths)
    return get if len(paths) > 1 else lambda source: (get(source),)


class Stored(Object[Source]):
    """An object that is stored as JSON: in the attribute ``stored`` of the source, or the source itself.

    All of it is passed on, even if another version of the project has stored other fields.
    """

    stored: ClassVar[str] = ""

    @classmethod
    def of(cls, source: Source, **given: Any) -> Facts:
        stored: Any = getattr(source, cls.stored) if cls.stored else source
        return {**stored, **super().of(source, **given)}
