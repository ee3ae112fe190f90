"""Delete signals of rows that no lookup path leads to: those that Django sends."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db.models.signals import post_delete, pre_delete

from housekeeping.engine.purge import purge_batches
from tests.shapes import worlds
from tests.shapes.models import Badge, Comment, Device, Like, Menu, Part, Pizzeria, Scan, Tag, Team, Vote
from tests.shapes.tasks import POLICIES
from tests.shapes.worlds import AS_OF, MONTH, OLD

pytestmark = pytest.mark.django_db


def comments():
    below = Comment.objects.create(parent=Comment.objects.create(written_at=OLD), written_at=OLD)
    Like.objects.create(comment=below)


def devices():
    device = Device.objects.create(made_at=OLD)
    for row in (device, Part.objects.create(device=device)):
        Vote.objects.create(tag=Tag.objects.create(of=row))


def places():
    Menu.objects.create(restaurant=Pizzeria.objects.create(opened_at=OLD))


def badges():
    team = Team.objects.create(id=12, name="old", founded_at=OLD)
    Scan.objects.create(badge=Badge.objects.create(team=team, code="code"))


@contextmanager
def heard():
    """The rows of the shapes whose signals are sent meanwhile."""
    found = []

    def receive(signal, sender, instance, **_):
        if sender._meta.app_label == "shapes":
            found.append((signal is pre_delete, sender.__name__, str(instance.pk)))

    for signal in (pre_delete, post_delete):
        signal.connect(receive)
    try:
        yield found
    finally:
        for signal in (pre_delete, post_delete):
            signal.disconnect(receive)


@pytest.mark.parametrize("make", [comments, devices, places, badges])
def test_receivers_hear_of_the_rows_that_django_would_tell_them(make):
    make()
    policy = replace(POLICIES[make.__name__], send_signals=True)
    with heard() as by_django, worlds.taken_back():
        policy.rows(AS_OF - MONTH).delete()

    with heard() as by_us:
        batches = list(purge_batches(policy, cutoff=AS_OF - MONTH))

    assert len(batches) == 1
    assert sorted(by_us) == sorted(by_django)
    assert len(by_us) > 2
