import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail, signing
from django.db import connection
from django.utils import timezone

from chat import accounts
from chat.models import User
from chat.tasks import cleanup_inactive_users
from tests import make, services

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"


def test_registering_makes_an_account_that_waits_for_its_mail():
    user = accounts.register("ada", "Ada@Example.com", PASSWORD)

    user.refresh_from_db()
    assert (user.username, user.email) == ("ada", "ada@example.com")
    assert (user.is_active, user.email_verified_at) == (False, None)
    assert (user.is_staff, user.is_superuser) == (False, False)
    assert user.check_password(PASSWORD)
    assert mail.outbox[0].to == ["ada@example.com"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("email", ["other@example.com", "ada@example.com"])
@pytest.mark.parametrize("username", ["ada", "aﬁ"])  # the second is kept as "afi", one letter more
def test_a_name_is_taken_once_whatever_the_address(username, email):
    make.user(username="ada", email="ada@example.com")
    make.user(username="afi")

    with pytest.raises(accounts.AlreadyTaken, match="username is taken"):
        accounts.register(username, email, PASSWORD)

    assert User.objects.count() == 2
    assert mail.outbox == []


@pytest.mark.parametrize("kept", ["ada@example.com", "Ada@Example.com"])
@pytest.mark.parametrize("is_active", [True, False])
def test_registering_with_an_address_that_has_an_account_changes_nothing_for_it(kept, is_active):
    owner = make.user(username="ada", password=PASSWORD, is_active=is_active)
    User.objects.update(email=kept)

    accounts.register("mallory", "ADA@example.com", "hers 12345")

    owner.refresh_from_db()
    assert (owner.username, owner.email, owner.is_active) == ("ada", kept, is_active)
    assert owner.check_password(PASSWORD)
    [sent] = mail.outbox
    assert sent.to == [kept]
    assert "/verify/" not in sent.body
    assert "mallory" not in sent.body


def test_the_account_beside_it_takes_its_name_and_goes_like_all_that_are_never_verified():
    make.user(email="ada@example.com")
    shadow = accounts.register("eve", "ada@example.com", PASSWORD)
    User.objects.filter(pk=shadow.pk).update(date_joined=make.ago(days=8))

    with pytest.raises(accounts.AlreadyTaken):
        accounts.register("eve", "eve@example.com", PASSWORD)

    assert (shadow.is_active, shadow.email.endswith(".invalid")) == (False, True)
    assert cleanup_inactive_users() == {"deleted_users": 1}


def verifies(sent, password=PASSWORD):
    try:
        accounts.verify(re.search(r"/verify/(\S+)", sent.body).group(1), password)
    except (accounts.BadVerificationLink, accounts.WrongPassword):
        return False
    return True


@pytest.mark.parametrize("held", ["ada@example.com", "Ada@Example.com"])
def test_a_stranger_who_registers_the_address_later_ends_no_link(held):
    ada = make.visitor(username="ada", email=held, password=PASSWORD)
    token = accounts.verification_token(ada)

    eve = accounts.register("eve", "ada@example.com", "hers 12345")

    ada.refresh_from_db()
    assert (ada.email.lower(), eve.email.endswith(".invalid")) == ("ada@example.com", True)
    assert accounts.verify(token, PASSWORD) == ada
    assert verifies(mail.outbox[0], "hers 12345") is False


def test_the_newest_mail_lets_no_stranger_in_without_the_stranger_s_password():
    accounts.register("ada", "ada@example.com", PASSWORD)
    accounts.register("eve", "ada@example.com", "hers 12345")

    opened = [verifies(sent, PASSWORD) for sent in reversed(mail.outbox)]

    assert opened == [False, True]
    assert User.objects.get(is_active=True).username == "ada"


def test_of_many_who_wait_for_one_address_the_first_that_is_verified_gets_it():
    eve, mallory, ada = (
        accounts.register(name, "ada@example.com", PASSWORD) for name in ("eve", "mallory", "ada")
    )

    opened = [verifies(sent) for sent in reversed(mail.outbox)]

    assert opened == [True, False, False]
    for account in (eve, mallory, ada):
        account.refresh_from_db()
    assert (ada.email, ada.is_active) == ("ada@example.com", True)
    assert not any(other.is_active or "example" in other.email for other in (eve, mallory))


@pytest.mark.parametrize(
    "let_in",
    [
        {"email_verified_at": timezone.now()},
        {"is_active": True},
        {"last_login": timezone.now()},
        {"is_staff": True},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_who_was_let_in_once_keeps_the_address(let_in):
    owner = make.visitor(email="ada@example.com", **let_in)

    accounts.register("eve", "ada@example.com", PASSWORD)

    owner.refresh_from_db()
    assert owner.email == "ada@example.com"
    assert "/verify/" not in mail.outbox[0].body


@pytest.mark.django_db(transaction=True)
def test_a_name_that_is_taken_takes_no_address_from_anybody():
    make.user(username="ada")
    first = make.visitor(email="ada@example.com")

    with pytest.raises(accounts.AlreadyTaken):
        accounts.register("ada", "ada@example.com", PASSWORD)

    first.refresh_from_db()
    assert first.email == "ada@example.com"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_register_one_address_at_the_same_moment_one_gets_it():
    def register(username):
        try:
            return accounts.register(username, "ada@example.com", PASSWORD).email
        finally:
            connection.close()

    with ThreadPoolExecutor() as both:
        list(both.map(register, ["one", "two"]))

    addresses = list(User.objects.values_list("email", flat=True))
    assert addresses.count("ada@example.com") == 1
    assert {address for sent in mail.outbox for address in sent.to} == {"ada@example.com"}
    assert len(mail.outbox) == len(addresses) == 2
    assert [verifies(sent) for sent in mail.outbox].count(True) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_register_one_name_at_the_same_moment_one_gets_it():
    def register(email):
        try:
            return accounts.register("ada", email, PASSWORD)
        except accounts.AlreadyTaken:
            return "taken"
        finally:
            connection.close()

    with ThreadPoolExecutor() as both:
        outcomes = list(both.map(register, ["one@example.com", "two@example.com"]))

    assert outcomes.count("taken") == 1
    assert User.objects.count() == len(mail.outbox) == 1


@pytest.mark.parametrize("taken", [True, False])
def test_an_account_whose_mail_could_not_be_sent_is_not_kept(taken, settings):
    before = [make.user(email="ada@example.com")] if taken else []
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", services.free_port()

    with pytest.raises(ConnectionRefusedError):
        accounts.register("ada", "ada@example.com", PASSWORD)

    assert list(User.objects.all()) == before


def test_verifying_lets_the_account_in():
    visitor = make.visitor()

    verified = accounts.verify(accounts.verification_token(visitor), "")

    visitor.refresh_from_db()
    assert verified == visitor
    assert visitor.is_active
    assert visitor.is_verified


def test_a_link_used_twice_changes_nothing():
    visitor = make.visitor()
    token = accounts.verification_token(visitor)
    first = accounts.verify(token, "")

    second = accounts.verify(token, "")

    assert second.email_verified_at == first.email_verified_at


def test_an_old_link_does_not_bring_back_an_account_that_was_deactivated():
    visitor = make.visitor()
    token = accounts.verification_token(visitor)
    accounts.verify(token, "")
    User.objects.update(is_active=False)

    accounts.verify(token, "")

    visitor.refresh_from_db()
    assert not visitor.is_active


def test_a_link_that_is_too_old_is_refused(settings):
    visitor = make.visitor()
    token = accounts.verification_token(visitor)
    settings.CHAT_VERIFICATION_MAX_AGE = timedelta(seconds=-1)

    with pytest.raises(accounts.BadVerificationLink, match="too old"):
        accounts.verify(token, "")

    visitor.refresh_from_db()
    assert (visitor.is_active, visitor.is_verified) == (False, False)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: "x" + t, lambda t: "", lambda t: "é:ü:ß"])
def test_a_link_that_was_changed_is_refused(change):
    token = accounts.verification_token(make.visitor())

    with pytest.raises(accounts.BadVerificationLink, match="This link is not valid"):
        accounts.verify(change(token), "")

    assert not User.objects.filter(is_active=True).exists()


def test_what_was_signed_for_another_purpose_verifies_nobody():
    visitor = make.visitor()
    token = signing.dumps({"user": visitor.pk, "email": visitor.email}, salt="another purpose")

    with pytest.raises(accounts.BadVerificationLink):
        accounts.verify(token, "")


def test_a_link_to_an_address_that_the_account_no_longer_has_is_refused():
    visitor = make.visitor(email="old@example.com")
    token = accounts.verification_token(visitor)
    User.objects.update(email="new@example.com")

    with pytest.raises(accounts.BadVerificationLink):
        accounts.verify(token, "")

    visitor.refresh_from_db()
    assert not visitor.is_verified


def test_a_link_to_an_account_that_was_purged_is_refused():
    visitor = make.visitor()
    token = accounts.verification_token(visitor)
    visitor.delete()

    with pytest.raises(accounts.BadVerificationLink, match="no longer exists"):
        accounts.verify(token, "")


def test_a_warning_is_mailed_and_marked():
    visitor = make.visitor(email="ada@example.com")

    accounts.warn_of_deletion(visitor, goes_at=timezone.now() + make.days(3))

    visitor.refresh_from_db()
    assert mail.outbox[0].to == ["ada@example.com"]
    assert make.ago(minutes=1) < visitor.deletion_warned_at <= timezone.now()
    assert (visitor.is_active, visitor.is_verified) == (False, False)


def test_the_link_of_a_warning_keeps_the_account():
    visitor = make.visitor()
    accounts.warn_of_deletion(visitor, goes_at=timezone.now())
    token = re.search(r"/verify/(\S+)", mail.outbox[0].body).group(1)

    accounts.verify(token, "")

    visitor.refresh_from_db()
    assert (visitor.is_active, visitor.is_verified) == (True, True)


def test_a_warning_that_could_not_be_sent_is_not_marked(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", services.free_port()
    visitor = make.visitor()

    with pytest.raises(ConnectionRefusedError):
        accounts.warn_of_deletion(visitor, goes_at=timezone.now())

    visitor.refresh_from_db()
    assert visitor.deletion_warned_at is None


def test_an_account_without_an_address_does_not_count_as_warned():
    nobody = make.visitor(email="")

    with pytest.raises(ValueError, match="no mail address"):
        accounts.warn_of_deletion(nobody, goes_at=timezone.now())

    nobody.refresh_from_db()
    assert (nobody.deletion_warned_at, mail.outbox) == (None, [])


def test_an_account_with_an_address_of_nowhere_counts_as_warned_and_is_not_mailed():
    make.user(email="ada@example.com")
    shadow = accounts.register("mallory", "ada@example.com", PASSWORD)
    mail.outbox.clear()

    accounts.warn_of_deletion(shadow, goes_at=timezone.now())

    shadow.refresh_from_db()
    assert shadow.deletion_warned_at
    assert mail.outbox == []
