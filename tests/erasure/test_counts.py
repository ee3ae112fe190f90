"""The numbers on a certificate, compared with the tables before and after."""

from collections import Counter

import pytest
from django.apps import apps

from housekeeping.erasure import people, requests, work
from housekeeping.models import Erasure
from tests import make
from tests.engine.test_promises import killed_at
from tests.erasure.people import NAME, grace, leave_traces, others, preview, purge, talk
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def tables():
    """All rows, but for the erasure's own."""
    models = [one for one in apps.get_models(include_auto_created=True) if one is not Erasure]
    return {one._meta.label: {str(row["pk"]): row for row in _rows(one)} for one in models}


def _rows(model):
    for row in model._base_manager.values():
        plain = {name: bytes(one) if isinstance(one, memoryview) else one for name, one in row.items()}
        yield plain | {"pk": row[model._meta.pk.attname]}


def compared(before, after):
    """How many rows are gone, and how many differ, by table."""
    gone = Counter({label: len(rows.keys() - after[label].keys()) for label, rows in before.items()})
    changed = Counter(
        label
        for label, rows in before.items()
        for key, row in rows.items()
        if key in after[label] and after[label][key] != row
    )
    return dict(+gone), dict(changed)


def everywhere():
    user = grace()
    others()
    for age in (0, 35, 40, 41):
        talk(user, age=days(age))
    make.conversation(age=days(45), messages=1)
    preview()
    purge(batch_size=2)
    talk(user, age=days(36))
    preview()
    leave_traces(user)
    return requests.store(people.find(NAME), by=make.ADA)


@pytest.mark.parametrize("kills", [(), (60,), (30, 90, 150)])
def test_each_row_counts_once_also_after_kills(kills, settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    erasure = everywhere()
    before = tables()
    for number in kills:
        with killed_at(number):
            work.carry_out(Erasure.objects.get(pk=erasure.pk))

    erasure = work.carry_out(Erasure.objects.get(pk=erasure.pk))

    assert erasure.state == "finished"
    assert (erasure.certificate["deleted"], erasure.certificate["changed"]) == compared(before, tables())
    assert erasure.touched is None
