"""Models with everything that a policy may meet: each kind of key, of column and of foreign key.

A cascade from a park reaches animals and meals in more than one way. Contracts protect, loans restrict,
visits and guides are set to null, and the table of an animal's keepers is one that Django creates.
"""

import uuid

from django.db import models
from django.db.models import F
from django.utils import timezone


class Park(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=100, unique=True, null=True)
    opened_at = models.DateTimeField(default=timezone.now)


class OldPark(Park):
    class Meta:
        proxy = True


class House(models.Model):
    code = models.CharField(primary_key=True, max_length=20)
    park = models.ForeignKey(Park, models.CASCADE)


class Keeper(models.Model):
    name = models.TextField()
    hired_at = models.DateTimeField(default=timezone.now)


class Animal(models.Model):
    house = models.ForeignKey(House, models.CASCADE, null=True)
    park = models.ForeignKey(Park, models.CASCADE, null=True)
    mate = models.ForeignKey("self", models.SET_NULL, null=True)
    guide = models.ForeignKey(Keeper, models.SET_NULL, null=True, related_name="guides")
    keepers = models.ManyToManyField(Keeper)
    seen_at = models.DateTimeField(default=timezone.now)

    tag = models.CharField(max_length=50, unique=True, null=True)
    order = models.SmallIntegerField(db_column="group", default=0)
    number = models.BigIntegerField(default=0)
    doubled = models.GeneratedField(
        expression=F("order") * 2, output_field=models.IntegerField(), db_persist=True
    )
    weight = models.DecimalField(max_digits=15, decimal_places=5, null=True)
    length = models.FloatField(null=True)
    chip = models.BinaryField(null=True)
    facts = models.JSONField(null=True)
    nap = models.DurationField(null=True)
    born = models.DateField(null=True)
    fed_at = models.TimeField(null=True)
    is_tame = models.BooleanField(null=True)


class Passport(models.Model):
    animal = models.OneToOneField(Animal, models.CASCADE, primary_key=True)
    stamp = models.BinaryField(default=b"")


class Meal(models.Model):
    animal = models.ForeignKey(Animal, models.CASCADE)
    house = models.ForeignKey(House, models.CASCADE, null=True)
    food = models.TextField(default="hay")


class Visit(models.Model):
    park = models.ForeignKey(Park, models.SET_NULL, null=True)
    animal = models.ForeignKey(Animal, models.SET_NULL, null=True)


class Contract(models.Model):
    house = models.ForeignKey(House, models.PROTECT)


class Loan(models.Model):
    animal = models.ForeignKey(Animal, models.RESTRICT)


class Photo(models.Model):
    park = models.ForeignKey(Park, models.CASCADE, null=True)
    file = models.FileField(upload_to="photos")
    print = models.FileField(blank=True, null=True)
    taken_by = models.CharField(max_length=150, blank=True)
    taken_at = models.DateTimeField(default=timezone.now)


class Postcard(models.Model):
    """It may name the file of a photo, too."""

    picture = models.FileField()


class Owner(models.Model):
    """Whose entries are kept for as long as it wants: in days, or as a duration."""

    kept_days = models.IntegerField(null=True)
    kept_for = models.DurationField(null=True)


class Entry(models.Model):
    owner = models.ForeignKey(Owner, models.CASCADE, null=True, related_name="entries")
    kind = models.CharField(max_length=10, default="note")
    written_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["owner", "written_at"], name="entry_by_owner")]


class Line(models.Model):
    """Goes with its entry."""

    entry = models.ForeignKey(Entry, models.CASCADE)
