import pytest
from django.core.mail import send_mail
from django.db import DatabaseError, connection

from chat.models import User
from housekeeping.declared.mailing import mail_each
from tests import make, services

pytestmark = pytest.mark.django_db(transaction=True)


def people():
    return User.objects.filter(deletion_warned_at=None)


def send(user):
    send_mail("Hello", "Are you there?", None, [user.email])
    User.objects.filter(pk=user.pk).update(deletion_warned_at=make.ago())


@pytest.fixture
def refusing(settings):
    """A mail server that knows no address with ``bot`` in it."""
    with services.mail_server(refuse="bot") as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


def test_addresses_that_are_refused_keep_nobody_else_from_their_mail(refusing):
    bots = [make.user(email=f"bot{number}@example.com") for number in range(5)]
    person = make.user(email="ada@example.com")

    mailed = mail_each("test", people(), send)

    assert (mailed.sent, mailed.failed, mailed.server_errors) == (1, 5, [])
    assert refusing.accepted == ["<ada@example.com>"]
    assert list(people()) == bots
    assert person not in people()


def test_a_mail_server_that_is_out_of_reach_is_not_tried_for_ever(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", services.free_port()
    for _ in range(10):
        make.user()

    mailed = mail_each("test", people(), send)

    assert (mailed.sent, mailed.failed) == (0, 3)
    assert [type(error) for error in mailed.server_errors] == [ConnectionRefusedError] * 3


def test_who_has_left_meanwhile_gets_no_mail():
    first, second, third = make.user(), make.user(), make.user()
    asked = []

    def send(user):
        asked.append(user)
        User.objects.filter(pk=second.pk).update(deletion_warned_at=make.ago())

    mail_each("test", people(), send)

    assert asked == [first, third]


def test_what_the_database_refuses_is_not_a_failed_mail():
    make.user()

    def send(user):
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM a_table_that_is_not_there")

    with pytest.raises(DatabaseError):
        mail_each("test", people(), send)
