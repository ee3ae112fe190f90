"""What an administrator changes about an account: an act on record, and a mail to its owner."""

import pytest
from allauth.mfa.models import Authenticator

from chat import accounts
from housekeeping.models import Act
from tests import make
from tests.chat.sign_in import apps
from tests.chat.test_admin import as_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(make.administrator(username="root", email="root@example.com"))
    return client


def change(admin, user, **fields):
    form = as_form(user) | {"is_active": "on"} | fields
    assert admin.post(f"/admin/chat/user/{user.pk}/change/", form).status_code == 302


def acts():
    return [(act.who, act.what, act.target, act.details) for act in Act.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("fields", "what", "told"),
    [
        ({"email": "eve@example.com"}, "change mail address", "Its mails go to another address from now on."),
        ({"username": "grace2"}, "change user name", "Its user name is grace2 from now on."),
    ],
)
def test_a_new_address_or_name_is_on_record_and_told_to_the_old_address(
    fields, what, told, admin, mailoutbox
):
    user = make.user(username="grace", email="grace@example.com")

    change(admin, user, **fields)

    assert acts() == [("root", what, f"chat.User {user.pk}", {})]  # without the values, which are personal
    [mail] = mailoutbox
    assert (mail.to, mail.subject) == (["grace@example.com"], "Your account was changed")
    assert told in mail.body
    assert "eve" not in mail.body


def test_both_at_once_are_one_mail(admin, mailoutbox):
    change(admin, make.user(username="grace"), username="grace2", email="eve@example.com")

    assert [what for _, what, *_ in acts()] == ["change user name", "change mail address"]
    assert len(mailoutbox) == 1


def test_other_changes_are_not_told(admin, mailoutbox):
    change(admin, make.user(), first_name="Grace")

    assert (acts(), mailoutbox) == ([], [])


def test_an_address_that_stands_in_for_another_gets_no_mail(admin, mailoutbox):
    make.user(email="grace@example.com")
    waiting = accounts.register("hopper", "grace@example.com", "correct horse 9")
    mailoutbox.clear()

    change(admin, waiting, email="hopper@example.com")

    assert mailoutbox == []


@pytest.mark.parametrize("path", ["", "{}/delete/"])
@pytest.mark.parametrize(
    ("kind", "told"),
    [("totp", "Its authenticator app was removed."), ("recovery_codes", "Its recovery codes were removed.")],
)
def test_a_factor_that_is_removed_is_told_and_on_record_with_its_account(kind, told, path, admin, mailoutbox):
    user = make.user(username="grace", email="grace@example.com")
    apps.given(user)
    factor = Authenticator.objects.get(user=user, type=kind)
    selected = {"action": "delete_selected", "post": "yes", "_selected_action": [factor.pk]}

    admin.post(f"/admin/mfa/authenticator/{path.format(factor.pk)}", selected)

    assert not apps.has(user, kind)
    facts = {"account": user.pk, "type": kind}
    assert acts() == [("root", "delete", f"mfa.Authenticator {factor.pk}", facts)]
    [mail] = mailoutbox
    assert mail.to == ["grace@example.com"]
    assert told in mail.body
