"""A changed password is an act on record, and a mail to its owner."""

import os
import subprocess
import sys

import pytest
from django.test import Client

from housekeeping.models import Act, Delivery
from tests import make
from tests.processes import ROOT, database_url
from tests.visitors import as_user, text

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, NEW = "correct horse 9", "another horse 7"


@pytest.fixture
def ada():
    return make.user(username="ada", email="ada@example.com", password=PASSWORD)


def change(user, old=PASSWORD):
    browser = Client(REMOTE_ADDR="198.51.100.7")
    browser.force_login(user)
    fields = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return browser.post("/password", fields)


def test_who_changes_the_password_is_told_by_mail_from_where(ada, mailoutbox):
    change(ada)

    [sent] = mailoutbox
    assert (sent.to, sent.subject) == (["ada@example.com"], "Your password was changed")
    assert "Hello ada," in sent.body
    assert "from the address 198.51.100.7" in sent.body
    assert NEW not in sent.body


def test_and_that_is_an_act_on_record(ada):
    change(ada)

    act = Act.objects.get()
    assert (act.who, act.what, act.target) == ("ada", "change password", f"chat.User {ada.pk}")
    assert act.origin == "site from 198.51.100.7"
    assert NEW not in str(act.details)
    page = as_user(make.administrator()).get("/scheduler-admin/history", headers={"Accept-Language": "en"})
    assert "password changed" in text(page)
    assert "site from 198.51.100.7" in text(page)


def test_a_wrong_old_password_is_neither(ada, mailoutbox):
    change(ada, "wrong")

    assert mailoutbox == []
    assert not Act.objects.exists()


def test_the_owner_is_told_if_an_administrator_does_it(ada, mailoutbox):
    fields = {"usable_password": "true", "password1": NEW, "password2": NEW}

    as_user(make.administrator()).post(f"/admin/chat/user/{ada.pk}/password/", fields)

    [sent] = mailoutbox
    assert sent.to == ["ada@example.com"]
    assert "an administrator has just changed" in sent.body
    assert Act.objects.get().what == "change password"


def test_an_account_that_waits_for_an_address_gets_no_mail(mailoutbox):
    change(make.user(username="ada", email="0123@nowhere.invalid", password=PASSWORD))

    assert mailoutbox == []
    assert Act.objects.count() == 1


# --- By a command -----------------------------------------------------------------------------


def command(*passwords):
    """The command as a process without a terminal, which reads what is typed from its input.

    With the site's own settings, by which its mail goes to the outbox.
    """
    environment = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "site_config.settings"}
    return subprocess.run(
        [sys.executable, "manage.py", "changepassword", "ada"],
        cwd=ROOT,
        env=os.environ | environment,
        input="".join(f"{one}\n" for one in passwords),
        capture_output=True,
        text=True,
        start_new_session=True,
    )


def test_the_owner_is_told_if_it_is_changed_on_the_command_line(ada):
    done = command("admin", "admin", NEW, NEW)  # the first one is refused

    assert done.returncode == 0, done.stderr
    ada.refresh_from_db()
    hasher, rounds, *_ = ada.password.split("$")
    assert (hasher, int(rounds) >= 1_000_000) == ("pbkdf2_sha256", True)
    act = Act.objects.get()
    assert (act.what, act.target) == ("change password", f"chat.User {ada.pk}")
    assert act.origin.startswith("command on ")
    mail = Delivery.objects.get()
    assert mail.address == "ada@example.com"
    assert "an administrator has just changed" in str(mail.payload)
