"""Housekeeping's own rows, which others delete meanwhile."""

import pytest
from django.db import transaction

from housekeeping.declared.personal import Person
from housekeeping.erasure import people
from housekeeping.erasure.tables.records import Records
from housekeeping.erasure.terms import Terms
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, Channel, Hold, Incident, LogLine, PlannedRows, Run
from tests import make
from tests.erasure.people import MAIL, NAME, grace, leave_traces, preview, talk
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("model", [Act, Channel, Hold, Incident, LogLine, PlannedRows, Run])
def test_rows_that_are_purged_meanwhile_are_passed_over(model):
    """As soon as the first row of a table has changed, all of them are gone."""
    user = grace()
    for number in range(2):
        conversation = talk(user, age=days(40 + number))
        acts.record(Actor(NAME, "dashboard from 10.0.0.1"), "trigger", f"run {number}")
        make.channel(f"{NAME} {number}", kind="mail")
    preview()
    leave_traces(user)
    terms = Terms(Person(people.accounts(), str(user.pk), NAME, (MAIL,)), "PSEUDONYM")
    found = {"chat.User": {str(user.pk)}, "chat.Conversation": {str(conversation.pk)}}

    def changed(what, keys):
        if what is model:
            transaction.on_commit(lambda: model.objects.all().delete())

    Records(terms, found, lambda counts: None, changed).carry_out(lambda: None)

    assert not model.objects.exists()
