"""Who never verified is told before the account goes, and goes only then."""

import os
import re
import signal
import subprocess
import sys

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from chat import accounts, tasks
from chat.models import User
from housekeeping.declared import registry
from housekeeping.models import Hold, Tally
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make, services
from tests.make import ago, days
from tests.processes import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _three_days_before(settings):
    """The retention is seven days: an account is warned on its fifth."""
    settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS = 3
    registry.task("warnings")(tasks.warn_never_verified_users)
    yield
    del registry.TASKS["warnings"]


def carry_out(run, **options):
    return execution.execute(execution.claim(run.pk, run.attempts), **options)


def warned(**options):
    return carry_out(make.run("warnings"), **options)


def purged():
    return carry_out(make.run("users")).result["deleted_users"]


def mailed():
    return [message.to[0] for message in mail.outbox]


# --- Who is warned ------------------------------------------------------------------------


def test_an_account_is_warned_once_it_has_three_days_left():
    older, younger = make.visitor(age=days(4.01)), make.visitor(age=days(3.99))

    run = warned()

    assert (run.status, run.result) == ("succeeded", {"warned_users": 1, "failed_mails": 0})
    assert (run.progress(), run.purged) == ({"done": 1, "total": 1}, 0)
    assert Tally.objects.get(task="warnings").rows == 0  # a mail is no row that was purged
    assert mailed() == [older.email]
    younger.refresh_from_db()
    assert younger.deletion_warned_at is None


@pytest.mark.parametrize(
    "spared",
    [
        {"email_verified_at": ago(days=50)},  # deactivated later
        {"last_login": ago(days=50)},
        {"is_active": True},
        {"is_staff": True},
        {"is_superuser": True},
    ],
)
def test_who_will_not_go_is_not_warned(spared):
    make.visitor(age=days(60), **spared)

    assert warned().result["warned_users"] == 0
    assert mailed() == []


def test_who_is_held_is_not_warned_until_the_hold_ends():
    held = make.visitor(age=days(60))
    hold = Hold.objects.create(model="chat.User", key=str(held.pk), reason="asked us to wait")

    assert warned().result["warned_users"] == 0
    hold.delete()
    assert warned().result["warned_users"] == 1


def test_an_account_is_warned_once_ever():
    make.visitor(age=days(5))
    warned()

    assert warned().result == {"warned_users": 0, "failed_mails": 0}
    assert len(mailed()) == 1


def test_the_mail_names_the_day_up_to_which_the_account_is_kept():
    make.visitor(age=days(5))

    warned()

    last_day = timezone.now() + days(3)
    assert f"kept until {last_day.day} {last_day:%B %Y}" in mail.outbox[0].body


def test_a_dry_run_counts_and_mails_nobody():
    visitor = make.visitor(age=days(5))

    run = carry_out(make.run("warnings", dry_run=True))

    visitor.refresh_from_db()
    assert (run.result, run.done) == ({"warned_users": 1, "failed_mails": 0}, 1)
    assert (mailed(), visitor.deletion_warned_at) == ([], None)


def test_the_task_stays_a_plain_function():
    visitor = make.visitor(age=days(5))

    assert tasks.warn_never_verified_users() == {"warned_users": 1, "failed_mails": 0}
    assert mailed() == [visitor.email]


# --- Who goes -----------------------------------------------------------------------------


def test_nobody_goes_unwarned_however_old():
    make.visitor(age=days(900))

    assert purged() == 0
    assert User.objects.count() == 1


def test_who_was_warned_goes_once_the_warning_has_run_out():
    make.visitor(age=days(900), deletion_warned_at=ago(days=3, seconds=1))
    stays = make.visitor(age=days(900), deletion_warned_at=ago(days=2, hours=23, minutes=59))

    assert purged() == 1
    assert list(User.objects.all()) == [stays]


def test_a_warning_shortens_no_retention():
    make.visitor(age=days(6.9), deletion_warned_at=ago(days=5))

    assert purged() == 0


def test_who_verifies_by_the_link_of_the_warning_stays():
    visitor = make.visitor(age=days(900))
    warned()
    accounts.verify(re.search(r"/verify/(\S+)", mail.outbox[0].body).group(1), "")
    User.objects.update(deletion_warned_at=ago(days=30))

    assert purged() == 0
    visitor.refresh_from_db()
    assert visitor.is_active


def test_where_nobody_is_warned_who_is_past_the_retention_goes(settings):
    settings.HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS = 0
    make.visitor(age=days(7.01))

    assert purged() == 1


# --- What goes wrong ----------------------------------------------------------------------


@pytest.fixture
def _unreachable_mail_server(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", services.free_port()


@pytest.mark.usefixtures("_unreachable_mail_server")
def test_who_could_not_be_mailed_is_counted_and_not_deleted():
    visitor = make.visitor(age=days(900))

    run = warned()

    assert (run.status, run.result) == ("failed", {"warned_users": 0, "failed_mails": 1})
    assert "ConnectionRefusedError" in run.error
    assert (purged(), User.objects.get()) == (0, visitor)


def test_who_could_not_be_mailed_is_tried_again_the_next_day(settings):
    visitor = make.visitor(age=days(5))
    backend = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", services.free_port()
    warned()
    settings.EMAIL_BACKEND = backend

    assert warned().result == {"warned_users": 1, "failed_mails": 0}
    assert mailed() == [visitor.email]


def test_a_consumer_that_stops_ends_between_two_mails_and_another_goes_on():
    visitors = [make.visitor(age=days(5)) for _ in range(4)]

    stopped = warned(should_stop=lambda: len(mail.outbox) == 2)
    finished = carry_out(stopped)

    assert (stopped.status, stopped.done) == ("queued", 2)
    assert (finished.status, finished.result) == ("succeeded", {"warned_users": 4, "failed_mails": 0})
    assert finished.progress() == {"done": 4, "total": 4}
    assert mailed() == [visitor.email for visitor in visitors]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a process finds the test's database by its file")
def test_a_process_that_is_killed_between_a_mail_and_its_mark_leaves_nobody_unwarned():
    visitor = make.visitor(age=days(900))

    with services.mail_server() as server:
        url = f"sqlite:///{connection.settings_dict['NAME']}"
        environment = {"DATABASE_URL": url, "EMAIL_URL": f"smtp://127.0.0.1:{server.port}"}
        environment["HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS"] = "3"
        command = [sys.executable, "manage.py", "run_housekeeping", "--task", "warnings"]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
        server.taken = process.kill
        assert process.wait(30) == -signal.SIGKILL

    assert server.accepted == [f"<{visitor.email}>"]
    assert purged() == 0
    assert tasks.warn_never_verified_users()["warned_users"] == 1


def test_a_cancelled_run_mails_nobody_more():
    for _ in range(3):
        make.visitor(age=days(5))

    run = warned(watch=lambda run: mail.outbox and control.cancel(run))

    assert run.status == "cancelled"
    assert len(mailed()) == User.objects.exclude(deletion_warned_at=None).count() == 1


@pytest.mark.usefixtures("_unreachable_mail_server")
def test_a_log_names_nobody(caplog):
    make.visitor(age=days(5), username="grace", email="grace@example.com")

    with caplog.at_level("INFO"):
        warned()

    assert "ConnectionRefusedError" in caplog.text
    assert "grace" not in caplog.text
