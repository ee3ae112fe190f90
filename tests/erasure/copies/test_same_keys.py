"""Archives of a table that two databases have, where the same key is another person's row."""

from dataclasses import replace

import pytest

from housekeeping.declared.personal import PersonalRows
from housekeeping.erasure import people, requests, work
from housekeeping.models import Archive, Run
from tests.erasure.people import NAME, grace, personal_rows, preview, purge
from tests.make import ago
from tests.zoo import tasks
from tests.zoo.models import Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)


def with_photo(name, database, **key):
    park = Park.objects.using(database).create(name=name, opened_at=ago(days=40), **key)
    Photo.objects.using(database).create(park=park, file="a.jpg")
    return park


def test_only_theirs_leave_them(any_other, settings, add_task):
    """No router: parks are written to the first database, and a policy names the second one."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    there = replace(
        tasks.POLICIES[0], rows=lambda cutoff: Park.objects.using(any_other).filter(opened_at__lt=cutoff)
    )
    add_task("parks", tasks.task_of(there), policy=there)
    grace()
    theirs = with_photo(NAME, "default")
    with_photo("bob", any_other, pk=theirs.pk)
    hers = with_photo(NAME, any_other)
    plan = preview("parks")
    purge("parks")

    parks = PersonalRows(Park, names=["name"], module=__name__)
    with personal_rows(parks, PersonalRows(Photo, keys={"park": Park}, module=__name__)):
        erasure = work.carry_out(requests.store(people.find(NAME)))

    assert erasure.rows == {"chat.User": 1, "zoo.Park": 1, "zoo.Photo": 1}
    assert erasure.archived == {"zoo.Park": 1, "zoo.Photo": 1}
    [planned] = Run.objects.get(pk=plan.pk).plan["parks"]["sample"]
    assert planned["key"] == str(theirs.pk) != str(hers.pk)  # Bob's
    assert {one.model: one.rows for one in Archive.objects.all()} == {"zoo.Park": 1, "zoo.Photo": 1}
