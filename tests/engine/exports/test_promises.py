"""What an export and its import promise, on random rows of the zoo and of the shapes: the same database.

TRIES=80 in the environment tries ten times as many as `make prove`.
"""

from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from housekeeping.declared.ends import export
from housekeeping.models import Archive, Export, Hold
from tests.engine.exports.cold import declare
from tests.engine.test_promises import batches, kills, survive, tries
from tests.shapes import worlds
from tests.shapes.tasks import run_of

pytestmark = pytest.mark.django_db(transaction=True)

forms = st.sampled_from(["jsonl", "parquet"])


@tries(20)
@given(worlds.worlds(), batches, forms, kills)
def test_what_was_exported_comes_back_whatever_was_killed(world, size, form, kills):
    declare(replace(world.policy, name="exported", then=export("cold", form, rows=3)))
    world.create()
    before = worlds.everything()
    left, _ = worlds.as_django_would(world.policy, worlds.AS_OF - worlds.MONTH)

    run = survive(run_of("exported"), kills, batch_size=size)

    assert run.status == "succeeded", run.error
    assert worlds.everything() == left
    if Archive.objects.exists():
        Archive.objects.all().delete()
        call_command("housekeeping_runs", "import", str(run.pk), stdout=StringIO())
    assert worlds.everything() == before
    for model in (Hold, Export):
        model.objects.all().delete()
