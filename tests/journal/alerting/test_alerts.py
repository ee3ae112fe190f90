import uuid

import pytest
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat.models import User
from housekeeping.journal import outbox
from housekeeping.journal.alerting import alerts
from housekeeping.models import Run
from housekeeping.runs import recovery
from housekeeping.runs.work import execution
from tests import make, services

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def operator():
    return make.administrator(email="ada@example.com")


@pytest.fixture
def fails():
    """A task ``dishes`` that raises what is in the list, and succeeds while it is empty."""
    with make.dishes() as errors:
        yield errors


def carry_out(task="dishes", **fields):
    return execution.execute(execution.claim(make.run(task, **fields).pk, 0))


def sent():
    """The mails that were sent, once the outbox has settled."""
    outbox.settle()
    return mail.outbox


def subjects():
    return [message.subject for message in sent()]


# --- What is told -------------------------------------------------------------------------


def test_a_failure_is_told_with_its_reason_and_its_page(fails):
    fails.append(ValueError("no water"))

    run = carry_out()

    assert subjects() == ["Housekeeping: dishes failed"]
    assert "ValueError: no water" in sent()[0].body
    assert f"http://testserver/scheduler-admin/runs/{run.pk}" in sent()[0].body


def test_a_task_that_goes_on_failing_is_told_of_once(fails):
    fails.append(ValueError("no water"))

    for _ in range(3):
        carry_out()

    assert subjects() == ["Housekeeping: dishes failed"]


def test_it_is_told_when_the_task_is_well_again_and_when_it_fails_anew(fails):
    fails.append(ValueError("no water"))
    carry_out()
    fails.clear()
    carry_out()
    carry_out()
    fails.append(ValueError("no soap"))
    carry_out()

    assert subjects() == [
        "Housekeeping: dishes failed",
        "Housekeeping: dishes succeeded again",
        "Housekeeping: dishes failed",
    ]


def test_what_has_always_been_well_is_not_told(fails):
    carry_out()
    carry_out()

    assert subjects() == []


def test_the_failure_of_another_task_is_told_as_well(fails):
    make.run("conversations", status="failed")
    fails.append(ValueError("no water"))

    carry_out()

    assert subjects() == ["Housekeeping: dishes failed"]


def test_a_dry_run_tells_nothing_and_counts_for_nothing(fails):
    fails.append(ValueError("no water"))
    carry_out(dry_run=True)
    assert subjects() == []

    carry_out()

    assert subjects() == ["Housekeeping: dishes failed"]


@pytest.mark.parametrize("status", ["cancelled", "missed"])
def test_a_run_between_that_did_not_end_by_itself_does_not_start_the_row_anew(fails, status):
    fails.append(ValueError("no water"))
    carry_out(requested_at=make.ago(hours=2))
    make.run("dishes", status=status, requested_at=make.ago(hours=1))

    carry_out()

    assert subjects() == ["Housekeeping: dishes failed"]


def test_a_run_whose_workers_were_lost_is_told():
    make.run(status="running", attempts=3, losses=2, lease_until=make.ago(seconds=1))

    recovery.recover(timezone.now(), send=lambda run: None)

    assert subjects() == ["Housekeeping: conversations failed"]
    assert "Abandoned" in sent()[0].body


def test_a_message_for_an_unknown_task_is_told_once():
    run_id = uuid.uuid4()

    execution.reject(run_id, "send_invoice")
    execution.reject(run_id, "send_invoice")

    assert subjects() == ["Housekeeping: send_invoice failed"]


def test_an_undo_that_fails_is_told_whatever_became_of_the_task():
    purged = make.run(status="failed", deleted={"messages": 1})
    make.archive(purged, payload=b"not what was packed")

    execution.execute(execution.claim(make.run(undo_of=purged).pk, 0))

    assert subjects() == ["Housekeeping: the undo of conversations failed"]


# --- Who is told --------------------------------------------------------------------------


def test_those_are_told_who_can_act_and_have_an_address(fails):
    operate = Permission.objects.get(content_type__app_label="housekeeping", codename="operate")
    directly, by_group, viewer = make.user(), make.user(), make.user()
    directly.user_permissions.add(operate)
    group = Group.objects.create(name="operators")
    group.permissions.add(operate)
    by_group.groups.add(group)
    viewer.user_permissions.add(Permission.objects.get(codename="view_run"))
    make.administrator(is_active=False)
    make.administrator(email="")
    fails.append(ValueError("no water"))

    carry_out()

    assert [message.to for message in sent()] == [["ada@example.com"], [directly.email], [by_group.email]]


class Stranger(BaseBackend):
    """A backend that can't tell who has a right, as Django's BaseBackend and most of other packages."""


class Club(BaseBackend):
    def with_perm(self, perm, is_active=True):
        return (
            User.objects.filter(username="boris") if perm == "housekeeping.operate" else User.objects.none()
        )


class OfAnotherUserModel(BaseBackend):
    def with_perm(self, perm, is_active=True):
        return User.objects.filter(clearance="high")


def backends(*kinds):
    return [f"{__name__}.{kind.__name__}" for kind in kinds]


def test_a_project_s_own_backend_tells_who_can_act(fails, settings):
    make.user(username="boris", email="boris@example.com")
    settings.AUTHENTICATION_BACKENDS = [*backends(Stranger, Club), *settings.AUTHENTICATION_BACKENDS]
    fails.append(ValueError("no water"))

    carry_out()

    assert [message.to for message in sent()] == [["boris@example.com"], ["ada@example.com"]]


@pytest.mark.parametrize("kind", [Stranger, OfAnotherUserModel])
@pytest.mark.parametrize("admins", [[("Ops", "ops@example.com")], ["ops@example.com"]])
def test_where_no_backend_can_tell_the_admins_are_told(fails, settings, kind, admins):
    settings.AUTHENTICATION_BACKENDS, settings.ADMINS = backends(kind), admins
    fails.append(ValueError("no water"))

    carry_out()

    assert [message.to for message in sent()] == [["ops@example.com"]]


def test_where_no_operator_has_an_address_the_admins_are_told(fails, settings, operator):
    User.objects.update(email="")
    settings.ADMINS = [("Ops", "ops@example.com")]
    fails.append(ValueError("no water"))

    carry_out()

    assert [message.to for message in sent()] == [["ops@example.com"]]


def test_the_address_is_in_the_field_that_the_user_model_names(fails, operator, monkeypatch):
    monkeypatch.setattr(User, "EMAIL_FIELD", "username")
    User.objects.update(username="ada@work.example.com")
    fails.append(ValueError("no water"))

    carry_out()

    assert [message.to for message in sent()] == [["ada@work.example.com"]]


def test_where_nobody_can_be_told_the_log_says_so(fails, operator, caplog):
    operator.delete()
    fails.append(ValueError("no water"))

    run = carry_out()

    assert (run.status, subjects()) == ("failed", [])
    assert "no operator has a mail address" in caplog.text


# --- What a mail must not do --------------------------------------------------------------


def test_a_mail_that_fails_is_logged_and_leaves_the_end_as_it_is(fails, settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", services.free_port()
    fails.append(ValueError("no water"))

    run = carry_out()

    assert (run.status, run.error) == ("failed", "ValueError: no water")
    outbox.settle()
    assert "could not be sent (ConnectionRefusedError); it is tried again" in caplog.text
    assert "ada@example.com" not in caplog.text


def test_the_mail_quotes_no_row_and_no_long_text(fails):
    fails.append(IntegrityError("duplicate key" + "!" * 5_000 + "\nDETAIL:  Key (email)=(grace@example.com)"))

    carry_out()

    assert "duplicate key!!!" in sent()[0].body
    assert "grace" not in sent()[0].body
    assert len(sent()[0].body) < 500


def test_a_line_break_in_a_name_writes_no_header():
    execution.reject(uuid.uuid4(), "dishes\nBcc: mallory@example.com")

    assert subjects() == ["Housekeeping: dishes Bcc: mallory@example.com failed"]
    assert sent()[0].recipients() == ["ada@example.com"]


def test_a_mail_is_sent_once_the_end_is_committed(fails):
    fails.append(ValueError("no water"))
    claimed = execution.claim(make.run("dishes").pk, 0)

    with transaction.atomic():
        execution.execute(claimed)
        assert subjects() == []

    assert subjects() == ["Housekeeping: dishes failed"]


def test_an_end_that_was_rolled_back_is_not_told(fails):
    fails.append(ValueError("no water"))
    claimed = execution.claim(make.run("dishes").pk, 0)

    with transaction.atomic():
        execution.execute(claimed)
        transaction.set_rollback(True)

    assert (Run.objects.get().status, subjects()) == ("running", [])


def test_a_run_that_is_gone_tells_nothing():
    alerts.ended(uuid.uuid4())

    assert subjects() == []
