from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone

from chat.models import ChatMessage, Conversation, User
from tests import make
from tests.make import ago, days

pytestmark = pytest.mark.django_db


def test_a_new_account_can_not_sign_in_before_it_is_verified():
    user = User.objects.create_user("ada", "ada@example.com")

    assert (user.is_active, user.email_verified_at, user.is_verified) == (False, None, False)


def test_a_superuser_made_on_the_command_line_is_active_and_verified():
    call_command("createsuperuser", interactive=False, username="root", email="r@example.com", verbosity=0)

    root = User.objects.get(username="root")
    assert root.is_active
    assert root.is_verified
    assert root.is_superuser
    assert root.is_staff


@pytest.mark.parametrize("email", ["ada@example.com", "Ada@Example.COM"])
def test_two_accounts_can_not_share_a_mail_address_in_any_case(email):
    make.user(email="ada@example.com")

    with pytest.raises(IntegrityError):
        make.user(email=email)


def test_an_account_goes_with_its_conversations_and_their_messages():
    user = make.conversation(messages=2).user
    kept = make.conversation(messages=1)

    user.delete()

    assert list(Conversation.objects.all()) == [kept]
    assert list(ChatMessage.objects.all()) == list(kept.messages.all())


@pytest.mark.parametrize("make_row", [make.conversation, make.message])
def test_an_import_keeps_its_dates(make_row):
    moment = datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC)

    row = make_row(created_at=moment)

    row.refresh_from_db()
    assert row.created_at == moment


def test_what_names_no_date_is_made_now():
    before = timezone.now()

    conversation = Conversation.objects.create(user=make.user())
    message = ChatMessage.objects.create(conversation=conversation, role="user", content="Hello")

    assert before <= conversation.created_at <= message.created_at <= timezone.now()
    assert conversation.last_message_at is None


def test_a_message_can_lack_its_conversation():
    orphan = make.message()

    orphan.refresh_from_db()
    assert orphan.conversation is None


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_has_one_of_three_roles(role):
    assert make.message(role=role).role == role


def test_the_database_refuses_any_other_role():
    with pytest.raises(IntegrityError, match="chatmessage_role_known"):
        make.message(role="narrator")


def test_a_conversation_reads_as_its_title_or_its_number():
    titled = make.conversation(title="Plan a week in Lisbon")
    untitled = make.conversation()

    assert str(titled) == "Plan a week in Lisbon"
    assert str(untitled) == f"Conversation {untitled.pk}"


def test_conversations_are_listed_newest_first_and_messages_in_the_order_they_were_said():
    old, new = make.conversation(age=days(2)), make.conversation(age=days(1))
    second = make.message(conversation=new, created_at=ago(hours=1))
    first = make.message(conversation=new, created_at=ago(hours=2))

    assert list(Conversation.objects.all()) == [new, old]
    assert list(new.messages.all()) == [first, second]


def test_a_user_has_only_their_own_conversations():
    mine = make.conversation()
    make.conversation()

    assert list(Conversation.objects.of(mine.user)) == [mine]


@pytest.mark.parametrize(
    ("created", "last_message", "written", "silent"),
    [
        (days(40), None, None, True),
        (days(40), days(35), None, True),
        (days(40), days(20), None, False),
        (days(20), None, None, False),
        (days(40), None, days(20), False),  # an import filled in no last_message_at
        (days(40), days(35), days(20), False),
        (days(40), days(35), days(35), True),
    ],
)
def test_a_conversation_is_silent_since_its_last_activity(created, last_message, written, silent):
    now = timezone.now()
    conversation = make.conversation(
        created_at=now - created, last_message_at=last_message and now - last_message
    )
    if written:
        make.message(conversation=conversation, created_at=now - written)

    found = Conversation.objects.silent_since(now - days(30))

    assert list(found) == ([conversation] if silent else [])


def test_activity_at_the_very_moment_is_not_silence():
    moment = ago(days=30)
    make.conversation(age=days(40), last_message_at=moment)
    imported = make.conversation(age=days(40))
    make.message(conversation=imported, created_at=moment)

    assert not Conversation.objects.silent_since(moment).exists()


def test_the_migrations_say_what_the_models_say(capsys):
    call_command("makemigrations", "chat", check=True, dry_run=True)

    assert "No changes detected in app 'chat'" in capsys.readouterr().out
