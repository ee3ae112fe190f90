"""Holds on rows in another database, whose keys are a part of its queries: what these look up."""

import pytest

from housekeeping.declared.policies import Policy
from housekeeping.engine.purge import due
from housekeeping.models import Hold
from tests.make import ago, days
from tests.zoo.models import Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)


def test_sqlite_looks_for_the_rows_below_each_row_and_not_for_all_keys_on_hold(other_sqlite):
    def rows(cutoff):
        return Park.objects.using(other_sqlite).filter(opened_at__lt=cutoff)

    park = rows(ago()).create(opened_at=ago(days=40))
    photo = Photo.objects.using(other_sqlite).create(park=park)
    Hold.objects.create(model="zoo.Photo", key=str(photo.pk), reason="evidence")

    found = due(Policy("parks", rows, days(30), "opened_at"), cutoff=ago(days=30))

    assert not found.exists()
    [below] = [line for line in found.explain().splitlines() if "zoo_photo" in line]
    assert below.endswith("(park_id=?)")
