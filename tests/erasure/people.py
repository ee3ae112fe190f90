"""A person with rows of every kind, everywhere where housekeeping stores something of them."""

import contextlib
from datetime import timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from huey.contrib.djhuey import HUEY
from rest_framework_simplejwt.tokens import RefreshToken

from chat.models import Conversation, User
from housekeeping.declared import personal, registry
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, Delivery, Hold, Incident, LogLine, Run, TaskState
from housekeeping.runs import control
from tests import make
from tests.make import days
from tests.zoo.tasks import carry_out

NAME, MAIL, FIRST, LAST = "mjollnir", "grace.h@navy.example", "Grâce", "Hopper"
WORDS = "my secret is the nanosecond: a piece of wire, 29.97 cm"
TRACES = (NAME, MAIL, f"{FIRST} {LAST}", WORDS)


def grace(**fields):
    return make.user(username=NAME, email=MAIL, first_name=FIRST, last_name=LAST, **fields)


def talk(user, *, age=timedelta(), messages=2):
    conversation = make.conversation(user=user, age=age, title=f"About: {WORDS}")
    for number in range(messages):
        make.message(
            conversation=conversation, content=f"{number} {WORDS}", created_at=conversation.created_at
        )
    return conversation


def purge(task="conversations", *, batch_size=None, **options):
    return carry_out(control.request(task, send=lambda run: None, **options), batch_size=batch_size)


def preview(task="conversations", **options):
    return carry_out(control.request(task, send=lambda run: None, dry_run=True, **options))


def leave_traces(user):
    """Everything that may remember a person."""
    sign_in = {"username": user.username, "ip_address": "10.0.0.1", "attempt_time": timezone.now()}
    for table in (AccessLog, AccessFailureLog, AccessAttempt):
        extra = {"failures_since_start": 1, "get_data": "", "post_data": ""} if table is AccessAttempt else {}
        table.objects.create(**sign_in | {"username": user.email}, user_agent=NAME, **extra)
        table.objects.create(**sign_in | {"ip_address": "10.0.0.2"}, user_agent="x", **extra)
    RefreshToken.for_user(user)
    session = SessionStore()
    session["_auth_user_id"], session["note"] = str(user.pk), MAIL
    session.save()
    LogEntry.objects.create(
        user=make.user(),
        content_type=ContentType.objects.get_for_model(User),
        object_id=user.pk,
        object_repr=user.username,
        action_flag=CHANGE,
    )
    failed = make.run(
        "stats",
        status="failed",
        requested_by=NAME,
        approved_by=NAME,
        idempotency_key=f"key of {NAME}",
        error=f"ValueError: {MAIL} said {WORDS!r}",
        traceback=f"Traceback:\n  raise ValueError('{NAME}')\n  {FIRST} {LAST}\n",
        result={"mailed": {MAIL: [f"to {NAME}"]}, "words": WORDS, NAME: 1},
        worker=f"{NAME}:12/MainThread",
    )
    HUEY.put_result(str(failed.pk), failed.result)
    HUEY.put_result("a task of the site", {"to": [MAIL]})
    HUEY.put_result("another one", {"to": "bob@example.com"})
    LogLine.objects.create(
        run=failed, logged_at=timezone.now(), level="INFO", text=f"Mailed <{MAIL}>, {NAME}."
    )
    LogLine.objects.create(run=failed, logged_at=timezone.now(), level="INFO", text=f"It was '{WORDS}'!")
    acts.record(Actor(NAME, "dashboard from 10.9.8.7"), "trigger", failed.pk, task="stats")
    acts.record(make.ADA, "change rights", f"chat.User {user.pk}", after={"groups": [NAME]})
    keys = {"rows": 2, "keys": [str(user.pk), "999999"]}
    acts.record(make.ADA, "delete", "chat.User", **keys)
    hold = {"model": "chat.User", "key": str(user.pk)}
    Hold.objects.create(**hold, reason=f"Dispute with {NAME}", made_by=NAME, until=make.ago(days=1))
    Hold.objects.create(model="chat.User", key="999999", reason=f"{MAIL} asked", made_by=NAME)
    acts.record(make.ADA, "hold", f"chat.User {user.pk}", hold=1, **hold, after={"reason": f"for {NAME}"})
    Delivery.objects.create(address=MAIL, payload={"text": WORDS}, created_at=timezone.now())
    Delivery.objects.create(
        address="ops@example.com", payload={"text": f"{NAME} failed"}, created_at=timezone.now()
    )
    Incident.objects.create(
        kind="failed", target="stats", text=f"It failed for {MAIL}.", opened_at=make.ago(), told_at=make.ago()
    )
    TaskState.objects.create(name="stats", changed_at=make.ago(), changed_by=NAME, reason=f"{NAME} is away")
    make.channel("hers", kind="mail", address=MAIL, changed_by=NAME)


def others():
    """Rows of other people, some of which look like the person's."""
    bob = make.user(username=f"{NAME}2", email=f"x{MAIL}", first_name=FIRST)
    make.conversation(user=bob, messages=2, title="Bob's")
    make.conversation(user=bob, age=days(50), messages=3, title="Bob's old one")
    RefreshToken.for_user(bob)
    AccessLog.objects.create(username=bob.username, ip_address="10.0.0.3", attempt_time=timezone.now())
    make.run("stats", status="succeeded", requested_by=bob.username, result={"for": bob.email})
    return bob


def stored(model, **which):
    return list(model.objects.filter(**which).order_by("pk").values())


def of_others(bob):
    """What must be the same afterwards, row for row."""
    return [
        stored(User, pk=bob.pk),
        stored(Conversation, user=bob),
        [
            stored(type(message), pk=message.pk)
            for one in bob.conversations.all()
            for message in one.messages.all()
        ],
        stored(AccessLog, username=bob.username),
        stored(Run, requested_by=bob.username),
        Act.objects.count(),
    ]


@contextlib.contextmanager
def personal_rows(*rows):
    """Rows that are about people meanwhile, beside those that the site declares."""
    registry.discover()  # or the first erasure would, and what it found would be forgotten at the end
    before = list(personal._declared)
    personal._declared.extend(rows)
    try:
        yield
    finally:
        personal._declared[:] = before
