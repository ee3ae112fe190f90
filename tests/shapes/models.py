"""Models whose rows refer to each other in the less usual ways."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone


class Team(models.Model):
    name = models.CharField(max_length=20, unique=True)
    founded_at = models.DateTimeField(default=timezone.now)


def nobody():
    """The team that plans fall to, made when it is needed."""
    return Team.objects.get_or_create(id=99, name="nobody")[0]


class Job(models.Model):
    team = models.ForeignKey(Team, models.SET_DEFAULT, default=1)


class Plan(models.Model):
    team = models.ForeignKey(Team, models.SET(nobody))


class Bill(models.Model):
    team = models.ForeignKey(Team, models.DO_NOTHING)


def gone_if_queued(collector, field, rows, using):
    """An on_delete of a project: letters that are queued go, and the others stay without a team."""
    models.CASCADE(collector, field, [row for row in rows if row.is_queued], using)
    models.SET_NULL(collector, field, [row for row in rows if not row.is_queued], using)


class Letter(models.Model):
    team = models.ForeignKey(Team, gone_if_queued, null=True)
    is_queued = models.BooleanField(default=True)


class Visit(models.Model):
    """The database does not look after its key."""

    team = models.ForeignKey(Team, models.CASCADE, db_constraint=False)


# --- Keys to another column -------------------------------------------------------------------


class Badge(models.Model):
    team = models.ForeignKey(Team, models.CASCADE, to_field="name", null=True)
    code = models.CharField(max_length=9, unique=True)


class Scan(models.Model):
    badge = models.ForeignKey(Badge, models.CASCADE, to_field="code")


class Locker(models.Model):
    badge = models.ForeignKey(Badge, models.SET_NULL, to_field="code", null=True)


class Fine(models.Model):
    badge = models.ForeignKey(Badge, models.PROTECT, to_field="code")


# --- Generic relations ------------------------------------------------------------------------


class Tag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=40, db_index=True)
    of = GenericForeignKey()


class Vote(models.Model):
    tag = models.ForeignKey(Tag, models.CASCADE)


class Lock(models.Model):
    tag = models.ForeignKey(Tag, models.PROTECT)


class Note(models.Model):
    kind = models.ForeignKey(ContentType, models.CASCADE)
    number = models.BigIntegerField()
    of = GenericForeignKey("kind", "number")


class Device(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    made_at = models.DateTimeField(default=timezone.now)
    tags = GenericRelation(Tag)


class Part(models.Model):
    device = models.ForeignKey(Device, models.CASCADE)
    tags = GenericRelation(Tag)
    notes = GenericRelation(Note, content_type_field="kind", object_id_field="number")


# --- Circles ----------------------------------------------------------------------------------


class Comment(models.Model):
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    written_at = models.DateTimeField(default=timezone.now)
    slug = models.CharField(max_length=9, unique=True, null=True)


class Like(models.Model):
    comment = models.ForeignKey(Comment, models.CASCADE)


class Quote(models.Model):
    comment = models.ForeignKey(Comment, models.PROTECT)


class Stage(models.Model):
    """Each keeps the one before it."""

    before = models.ForeignKey("self", models.PROTECT, null=True)
    built_at = models.DateTimeField(default=timezone.now)


class Ship(models.Model):
    captain = models.ForeignKey("Sailor", models.CASCADE, null=True, related_name="commands")
    built_at = models.DateTimeField(default=timezone.now)


class Sailor(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    ship = models.ForeignKey(Ship, models.CASCADE)


class Medal(models.Model):
    sailor = models.ForeignKey(Sailor, models.CASCADE)


# --- Multi-table inheritance ------------------------------------------------------------------


class Place(models.Model):
    opened_at = models.DateTimeField(default=timezone.now)
    near = models.ForeignKey("self", models.SET_NULL, null=True)
    tags = GenericRelation(Tag)


class Restaurant(Place):
    stars = models.IntegerField(default=0)


class Pizzeria(Restaurant):
    oven = models.TextField(default="wood")


class Bar(Place):
    beers = models.IntegerField(default=0)


class Business(models.Model):
    number = models.AutoField(primary_key=True)
    founded_at = models.DateTimeField(default=timezone.now)


class Hotel(Place, Business):
    beds = models.IntegerField(default=0)


class Review(models.Model):
    place = models.ForeignKey(Place, models.CASCADE)


class Menu(models.Model):
    restaurant = models.ForeignKey(Restaurant, models.CASCADE)


class Tax(models.Model):
    business = models.ForeignKey(Business, models.PROTECT)


# --- Keys of other kinds ----------------------------------------------------------------------


class Day(models.Model):
    date = models.DateField(primary_key=True)
    tags = GenericRelation(Tag)


class Shift(models.Model):
    day = models.ForeignKey(Day, models.CASCADE)


class Holiday(models.Model):
    day = models.OneToOneField(Day, models.CASCADE, primary_key=True)


class Page(models.Model):
    """In a tree, so that its keys are looked for in both ways."""

    url = models.TextField(primary_key=True)
    fetched_at = models.DateTimeField(default=timezone.now)
    parent = models.ForeignKey("self", models.CASCADE, null=True)


class Anchor(models.Model):
    page = models.ForeignKey(Page, models.CASCADE)
    target = models.ForeignKey(Page, models.SET_NULL, null=True, related_name="links")


class Host(models.Model):
    """Lookup paths lead to all that is below it."""

    name = models.TextField(primary_key=True)
    seen_at = models.DateTimeField(default=timezone.now)


class Port(models.Model):
    host = models.ForeignKey(Host, models.CASCADE)
