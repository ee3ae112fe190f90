from datetime import timedelta

import pytest
from auditlog.context import set_actor
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from tests.recipes.host import steps
from tests.recipes.host.audited.models import Invoice

pytestmark = pytest.mark.django_db(transaction=True)


def test_entries_are_deleted_after_four_hundred_days_and_an_undo_brings_them_back():
    ada = User.objects.create_user("ada", "ada@example.com")
    with set_actor(ada, remote_addr="198.51.100.1"):
        kept, gone = (Invoice.objects.create(number=number, total="9.90") for number in ("1 \\N ü", "2"))
        kept.total = "12.50"
        kept.save()
    gone.delete()
    LogEntry.objects.update(timestamp=timezone.now() - timedelta(days=401))
    kept.number = "1b"
    kept.save()
    before = steps.rows(LogEntry)

    assert steps.preview("auditlog") == {"deleted_entries": 4}
    assert steps.rows(LogEntry) == before

    deleted, run = steps.purge("auditlog")
    assert deleted == {"deleted_entries": 4}
    assert LogEntry.objects.get().changes == {"number": ["1 \\N ü", "1b"]}

    assert steps.undo(run) == ({"auditlog.LogEntry": 4}, {})
    assert steps.rows(LogEntry) == before
    assert kept.log.count() == 3
