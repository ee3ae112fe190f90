import re

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F, Q
from django.utils import timezone

from chat.models import ChatMessage, Conversation, User
from chat.tasks import never_verified_users, old_conversations, orphaned_messages
from tests import make
from tests.make import ago

pytestmark = pytest.mark.django_db


def create(*words):
    call_command("create_demo_data", *words)


def test_a_third_of_the_conversations_is_past_the_retention_and_most_are_younger():
    create("--conversations", "90")

    old = Conversation.objects.filter(created_at__lt=ago(days=30))
    assert (Conversation.objects.count(), old.count()) == (90, 30)


def test_every_policy_has_something_to_do_and_something_to_leave():
    create()

    now = timezone.now()
    for policy in (old_conversations, orphaned_messages, never_verified_users):
        expired, kept = policy.rows(policy.cutoff(now)), policy.rows(now).model.objects
        assert 0 < expired.count() < kept.count() / 2, policy.name


def test_some_accounts_never_verified_and_half_of_them_are_past_their_week():
    create("--conversations", "250")

    visitors = User.objects.filter(is_active=False, email_verified_at=None, last_login=None)
    assert visitors.count() == 10
    assert visitors.filter(date_joined__lt=ago(days=7)).count() == 5


def test_every_conversation_has_an_owner_who_is_verified_and_messages_of_its_time():
    create("--conversations", "60")

    strangers = Q(user__is_active=False) | Q(user__email_verified_at=None)
    silent = Conversation.objects.annotate(said=Count("messages")).filter(said=0)
    early = ChatMessage.objects.filter(created_at__lt=F("conversation__created_at"))
    assert not Conversation.objects.filter(strangers).exists()
    assert not silent.exists()
    assert not early.exists()


def test_nothing_lies_in_the_future():
    create("--conversations", "300")

    now = timezone.now()
    assert not Conversation.objects.filter(Q(created_at__gt=now) | Q(last_message_at__gt=now)).exists()
    assert not ChatMessage.objects.filter(created_at__gt=now).exists()
    assert not User.objects.filter(date_joined__gt=now).exists()


@pytest.mark.parametrize("size", [1, 2, 3, 17, 5_001])
def test_any_size_will_do(size, capsys):
    create("--conversations", str(size))

    assert Conversation.objects.count() == size
    assert ChatMessage.objects.filter(conversation=None).exists()
    assert f"Created {size} conversations" in capsys.readouterr().out


def test_called_twice_it_adds_to_what_is_there():
    kept = make.conversation()

    create("--conversations", "10")
    create("--conversations", "10")

    assert Conversation.objects.count() == 21
    assert Conversation.objects.filter(pk=kept.pk).exists()


def test_it_makes_no_administrator_and_nobody_who_could_sign_in(capsys):
    create("--conversations", "10")

    assert not User.objects.filter(Q(is_superuser=True) | Q(is_staff=True)).exists()
    assert not any(user.has_usable_password() for user in User.objects.all())
    assert "password" not in capsys.readouterr().out


def test_the_first_run_prints_a_name_and_a_password_that_open_the_site(client, capsys):
    create("--first-run", "--conversations", "10")

    printed = dict(re.findall(r"^  (name|password) +(\S+)$", capsys.readouterr().out, re.MULTILINE))
    client.post("/sign-in", {"username": printed["name"], "password": printed["password"]})
    assert User.objects.get(username=printed["name"]).is_superuser
    assert client.get("/scheduler-admin").status_code == 200


def test_two_first_runs_print_two_passwords(capsys):
    passwords = set()

    for _ in range(2):
        User.objects.all().delete()
        create("--first-run", "--conversations", "1")
        passwords.add(re.search(r"password +(\S+)", capsys.readouterr().out).group(1))

    assert len(passwords) == 2
    assert all(len(password) >= 16 for password in passwords)


def test_where_there_are_users_the_first_run_is_over(capsys):
    make.user()

    create("--first-run")

    assert capsys.readouterr().out == ""
    assert (User.objects.count(), Conversation.objects.count()) == (1, 0)


@pytest.mark.parametrize("number", ["0", "-5", "many", "1.5", ""])
def test_a_bad_number_is_one_clear_error_and_nothing_is_made(number):
    with pytest.raises(CommandError, match="--conversations") as error:
        create(f"--conversations={number}")

    assert len(str(error.value).splitlines()) == 1
    assert not User.objects.exists()
