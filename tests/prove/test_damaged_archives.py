"""A thousand archives damaged at random: none is put back wrongly, and none is lost.

SEED=… in the environment chooses others. On PostgreSQL: TEST_DATABASE=postgres.
"""

import os
import random

import pytest
from django.db import transaction

from housekeeping.models import Hold, Run
from housekeeping.runs import control
from tests import damage, make
from tests.make import days
from tests.zoo import worlds
from tests.zoo.tasks import carry_out

pytestmark = pytest.mark.django_db(transaction=True)

TRIES = 1_000


def undone(run):
    return carry_out(control.undo(run, send=lambda run: None))


def test_nothing_damaged_is_put_back(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    chance = random.Random(os.environ.get("SEED", "1"))
    for _ in range(6):
        make.conversation(age=days(40), messages=3, title="a\ttab")
    before = worlds.everything()
    purged = [carry_out(control.request("conversations", send=lambda run: None), batch_size=2)]
    make.conversation(age=days(40), messages=1)
    with_other = worlds.everything()
    purged.append(carry_out(control.request("conversations", send=lambda run: None), batch_size=2))
    gone, intact = worlds.everything(), damage.kept()

    for number in range(TRIES):
        broken = [dict(row) for row in intact]
        what = f"try {number}: {chance.choice(damage.KINDS)(broken, chance)}"
        damage.put(broken)
        for run in purged:
            mine = [row for row in broken if row["run_id"] == run.pk]
            if mine != [row for row in intact if row["run_id"] == run.pk] and mine:
                undo = undone(run)
                assert undo.status == "failed", what
                assert "NotPossible" in undo.error, (what, undo.error)
        assert worlds.everything() == gone, what
        assert damage.kept() == broken, what
        with transaction.atomic():
            Run.objects.exclude(undo_of=None).delete()
            Hold.objects.all().delete()

    damage.put(intact)
    assert [undone(run).status for run in reversed(purged)] == ["succeeded", "succeeded"]
    assert worlds.everything() == before | with_other
