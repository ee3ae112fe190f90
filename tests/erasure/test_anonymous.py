"""Erasures of people whose rows were made anonymous before: their archives have what the rows told."""

from datetime import timedelta

import pytest
from django.db.models import Q, Value
from django.db.models.functions import Concat

from chat.models import Conversation, User
from housekeeping import Policy, anonymise
from housekeeping.engine import verification
from housekeeping.erasure import people, requests, work
from housekeeping.erasure.copies.reading import Reading
from housekeeping.models import Archive, Erasure, LogLine
from housekeeping.runs import control
from tests import make
from tests.erasure.people import LAST, MAIL, NAME, WORDS, grace, talk
from tests.make import days
from tests.zoo.tasks import carry_out, task_of, undo

pytestmark = pytest.mark.django_db(transaction=True)

GONE = Concat(Value("gone-"), "pk", Value("@example.invalid"))
USERS = Policy(
    "users_unknown",
    lambda cutoff: User.objects.filter(date_joined__lt=cutoff),
    timedelta(days=30),
    "date_joined",
    then=anonymise({"email": GONE, "last_name": ""}, done=Q(email__startswith="gone-")),
)
TITLES = Policy(
    "titles_unknown",
    lambda cutoff: Conversation.objects.filter(created_at__lt=cutoff),
    timedelta(days=30),
    "created_at",
    then=anonymise({"title": ""}, done=Q(title="")),
)


@pytest.fixture(autouse=True)
def _tasks(settings, add_task):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    for policy in (USERS, TITLES):
        add_task(policy.name, task_of(policy), policy=policy)


def run_of(policy):
    return carry_out(control.request(policy.name, send=lambda run: None))


def erase(text):
    return work.carry_out(requests.store(people.find(text)))


def payloads():
    return b"".join(Reading(archived).packed for archived in Archive.objects.all())


def test_the_person_s_rows_leave_the_archives_and_others_come_back():
    ada = make.user(email="ada@example.com", last_name="Lovelace", date_joined=make.ago(days=40))
    user = grace(date_joined=make.ago(days=40))
    talk(user, age=days(40))
    runs = [run_of(USERS), run_of(TITLES)]
    assert MAIL.encode() in payloads()
    assert WORDS.encode() in payloads()

    erasure = erase(NAME)

    assert erasure.state == Erasure.State.FINISHED, erasure.reason
    assert erasure.archived == {"chat.User": 1, "chat.Conversation": 1}
    assert not User.objects.filter(pk=user.pk).exists()
    for text in (MAIL, LAST, WORDS):
        assert text.encode() not in payloads()
    assert [verification.verify(run).findings() for run in runs] == [[], []]
    runs[0].refresh_from_db()
    assert undo(runs[0]).result == {"restored": {"chat.User": 1}, "not_restored": {}}
    ada.refresh_from_db()
    assert (ada.email, ada.last_name) == ("ada@example.com", "Lovelace")


def test_a_person_is_found_by_what_the_account_was_called_before():
    user = grace(date_joined=make.ago(days=40))
    run = run_of(USERS)
    line = LogLine.objects.create(run=run, logged_at=make.ago(), level="INFO", text=f"mailed {MAIL}")

    person = people.find(MAIL)
    assert (person.key, person.name) == (str(user.pk), NAME)
    assert MAIL in person.addresses
    assert LAST in person.full_names
    erase(MAIL)

    assert not User.objects.filter(pk=user.pk).exists()
    assert MAIL not in LogLine.objects.get(pk=line.pk).text
    assert MAIL.encode() not in payloads()
