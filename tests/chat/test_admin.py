import threading

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from chat import accounts
from chat.models import ChatMessage, Conversation, User
from housekeeping.models import Act, Hold
from housekeeping.steering import holds
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client, administrator):
    """Django's own admin site, as an administrator who has signed in."""
    client.force_login(administrator)
    return client


@pytest.mark.parametrize("page", ["", "chat/user/", "chat/user/add/", "chat/conversation/"])
def test_the_pages_load(admin, page):
    make.visitor()
    make.conversation(title="Backups", messages=1)

    answer = admin.get(f"/admin/{page}")

    assert answer.status_code == 200


@pytest.mark.parametrize("page", ["chat/user/", "chat/conversation/"])
def test_somebody_who_is_no_administrator_is_sent_to_sign_in(client, page):
    client.force_login(make.user())

    answer = client.get(f"/admin/{page}")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


def test_one_account_is_shown_with_its_verification_that_nobody_edits(admin):
    user = make.visitor(username="hopper")

    page = admin.get(f"/admin/chat/user/{user.pk}/change/").content.decode()

    assert "field-email_verified_at" in page
    assert 'name="email_verified_at' not in page


@pytest.mark.parametrize(
    ("query", "found"), [("is_active__exact=0", {"visitor"}), ("email_verified_at__isempty=1", {"visitor"})]
)
def test_the_accounts_that_wait_for_their_mail_can_be_picked_out(admin, query, found):
    make.visitor(username="visitor")
    make.user(username="verified")

    page = admin.get(f"/admin/chat/user/?{query}")

    assert {user.username for user in page.context["cl"].result_list} == found


def test_an_account_is_added(admin):
    form = {"username": "grace", "email": "grace@example.com", "is_active": "on"}
    password = {"usable_password": "true", "password1": "correct horse 9", "password2": "correct horse 9"}

    answer = admin.post("/admin/chat/user/add/", form | password)

    grace = User.objects.get(username="grace")
    assert answer.status_code == 302
    assert (grace.email, grace.is_active, grace.is_verified) == ("grace@example.com", True, True)
    assert grace.check_password("correct horse 9")


@pytest.mark.parametrize("email", ["", "no address", "ADA@example.com"])
def test_an_account_is_not_added_without_an_address_of_its_own(admin, email):
    make.user(email="ada@example.com")
    password = {"password1": "correct horse 9", "password2": "correct horse 9"}

    answer = admin.post("/admin/chat/user/add/", {"username": "grace", "email": email} | password)

    assert answer.status_code == 200
    assert "email" in str(answer.context["adminform"].form.errors)
    assert not User.objects.filter(username="grace").exists()


@pytest.mark.parametrize("email_verified_at", [None, make.ago(days=3)])
def test_an_account_that_an_administrator_lets_in_counts_as_verified(admin, email_verified_at):
    user = make.visitor(username="hopper", email_verified_at=email_verified_at)

    answer = admin.post(f"/admin/chat/user/{user.pk}/change/", as_form(user) | {"is_active": "on"})

    user.refresh_from_db()
    assert answer.status_code == 302
    assert user.is_active
    assert (
        user.email_verified_at if email_verified_at is None else user.email_verified_at == email_verified_at
    )


def test_a_registration_that_waits_for_another_s_address_is_not_activated_without_one(admin):
    accounts.register("mallory", "ada@example.com", "correct horse 9")
    waiting = accounts.register("hopper", "ada@example.com", "correct horse 9")
    token = accounts.verification_token(waiting, "ada@example.com")

    answer = admin.post(f"/admin/chat/user/{waiting.pk}/change/", as_form(waiting) | {"is_active": "on"})

    assert "waits for the mail address of another account" in answer.text
    assert not User.objects.get(pk=waiting.pk).is_verified
    assert accounts.verify(token, "correct horse 9").email == "ada@example.com"


def test_a_registration_that_waits_for_another_s_address_is_activated_with_one_of_its_own(admin):
    make.user(email="ada@example.com")
    waiting = accounts.register("hopper", "ada@example.com", "correct horse 9")
    form = as_form(waiting) | {"is_active": "on", "email": "hopper@example.com"}

    admin.post(f"/admin/chat/user/{waiting.pk}/change/", form)

    waiting.refresh_from_db()
    assert (waiting.email, waiting.is_active, waiting.is_verified) == ("hopper@example.com", True, True)


def test_an_account_that_is_edited_but_not_let_in_stays_unverified(admin):
    user = make.visitor(username="hopper")

    admin.post(f"/admin/chat/user/{user.pk}/change/", as_form(user) | {"first_name": "Grace"})

    user.refresh_from_db()
    assert (user.first_name, user.is_active, user.is_verified) == ("Grace", False, False)


def as_form(user):
    return {
        "username": user.username,
        "email": user.email,
        "date_joined_0": user.date_joined.date().isoformat(),
        "date_joined_1": user.date_joined.time().isoformat(),
    }


def test_a_conversation_is_shown_with_its_messages_which_nobody_edits(admin):
    conversation = make.conversation(title="Backups")
    make.message(conversation=conversation, content="How do I restore?")

    page = admin.get(f"/admin/chat/conversation/{conversation.pk}/change/").content.decode()

    assert "How do I restore?" in page
    assert 'name="messages-0-content"' not in page


@pytest.mark.parametrize("words", ["backups", "ada", "ada@example.com"])
def test_a_conversation_is_found_by_its_title_and_by_its_user(admin, words):
    ada = make.user(username="ada_l", email="ada@example.com")
    found = make.conversation(user=ada, title="Backups and ada")
    make.conversation(title="Lisbon")

    page = admin.get("/admin/chat/conversation/", {"q": words})

    assert list(page.context["cl"].result_list) == [found]


def test_a_conversation_is_deleted_with_its_messages(admin):
    conversation = make.conversation(messages=2)

    admin.post(f"/admin/chat/conversation/{conversation.pk}/delete/", {"post": "yes"})

    assert not Conversation.objects.exists()
    assert not ChatMessage.objects.exists()


# --- Holds ------------------------------------------------------------------------------------


def hold(row, reason="A dispute"):
    return Hold.objects.create(model=row._meta.label, key=str(row.pk), reason=reason)


@pytest.fixture(params=["page", "action"])
def delete(request):
    """Deletes a row in the admin, on its own page or as the action on selected rows."""

    def answer(browser, row, **options):
        path = f"/admin/chat/{row._meta.model_name}/"
        if request.param == "page":
            return browser.post(f"{path}{row.pk}/delete/", {"post": "yes"}, **options)
        selected = {"action": "delete_selected", "post": "yes", "_selected_action": [row.pk]}
        return browser.post(path, selected, **options)

    return answer


@pytest.mark.parametrize("held", ["message", "conversation", "user"])
@pytest.mark.parametrize("asked", ["conversation", "user"])
def test_a_row_on_hold_or_above_or_below_one_is_not_deleted(admin, delete, held, asked):
    conversation = make.conversation(messages=1)
    message = conversation.messages.get()
    rows = {"message": message, "conversation": conversation, "user": conversation.user}
    made = hold(rows[held], reason="A <dispute>")

    answer = delete(admin, rows[asked])

    assert f"{made} is on hold indefinitely: A &lt;dispute&gt;" in answer.text
    assert ChatMessage.objects.filter(conversation__user=conversation.user).exists()
    assert not LogEntry.objects.exists()


def test_a_row_is_deleted_once_its_hold_has_ended(admin, delete):
    conversation = make.conversation(messages=1)
    hold(conversation)
    Hold.objects.update(until=make.ago(days=1))

    delete(admin, conversation)

    assert not Conversation.objects.exists()


def test_of_several_rows_none_is_deleted_if_one_is_on_hold(admin):
    free, held = make.conversation(), make.conversation()
    hold(held)
    selected = {"action": "delete_selected", "post": "yes", "_selected_action": [free.pk, held.pk]}

    answer = admin.post("/admin/chat/conversation/", selected)

    assert f"chat.Conversation {held.pk} is on hold" in answer.text
    assert set(Conversation.objects.all()) == {free, held}


def test_only_accounts_that_may_see_holds_read_the_reason(clerk, delete):
    conversation = make.conversation()
    hold(conversation)

    answer = delete(clerk, conversation)

    assert f"chat.Conversation {conversation.pk} is on hold" in answer.text
    assert "dispute" not in answer.text
    assert Conversation.objects.exists()


def test_a_refused_deletion_is_told_in_german(admin, delete):
    conversation = make.conversation()
    hold(conversation)

    answer = delete(admin, conversation, headers={"Accept-Language": "de"})

    assert f"chat.Conversation {conversation.pk} ist unbefristet gesperrt: A dispute" in answer.text


@pytest.mark.django_db(transaction=True)
def test_a_row_is_not_deleted_when_a_hold_is_made_meanwhile(admin, delete):
    conversation = make.conversation(messages=1)
    held, deleting = threading.Event(), threading.Event()

    def make_a_hold():
        with transaction.atomic():
            holds.add("chat.ChatMessage", conversation.messages.get().pk, reason="A dispute")
            held.set()
            deleting.wait(0.5)
        connection.close()

    operator = threading.Thread(target=make_a_hold)
    operator.start()
    held.wait(5)
    answer = delete(admin, conversation, follow=True)
    deleting.set()
    operator.join()

    assert "is on hold indefinitely: A dispute" in answer.text
    assert conversation.messages.count() == 1
    assert not LogEntry.objects.exists()
    assert not Act.objects.exists()


# --- Rights -----------------------------------------------------------------------------------


@pytest.fixture
def clerk(client):
    """Staff who may do everything to accounts, groups and the sign-ins' records; no superuser."""
    user = make.user(username="clerk", is_staff=True)
    apps = ("auth", "axes", "chat", "token_blacklist")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=apps))
    client.force_login(user)
    return client


@pytest.mark.parametrize("field", ["is_staff", "is_superuser", "groups", "user_permissions"])
def test_who_is_no_superuser_gives_no_rights(clerk, field):
    user = make.user()
    Group.objects.create(name="operators", pk=1)

    clerk.post(f"/admin/chat/user/{user.pk}/change/", as_form(user) | {"is_active": "on", field: "1"})

    user.refresh_from_db()
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)
    assert (user.groups.count(), user.user_permissions.count()) == (0, 0)


@pytest.mark.parametrize("path", ["change/", "password/", "delete/"])
@pytest.mark.parametrize("has", ["superuser", "staff", "group", "permission"])
def test_who_is_no_superuser_changes_no_account_that_has_rights(clerk, path, has):
    ada = make.user(is_superuser=has == "superuser", is_staff=has == "staff")
    if has == "group":
        ada.groups.add(Group.objects.create(name="operators"))
    if has == "permission":
        ada.user_permissions.add(Permission.objects.get(codename="operate"))
    form = as_form(ada) | {"password1": "taken over 9", "password2": "taken over 9", "post": "yes"}

    answer = clerk.post(f"/admin/chat/user/{ada.pk}/{path}", form)

    assert answer.status_code == 403
    assert User.objects.filter(pk=ada.pk, password=ada.password).exists()


def test_who_is_no_superuser_gives_a_group_no_rights(clerk):
    group = Group.objects.create(name="operators")
    right = Permission.objects.get(codename="operate")

    clerk.post(f"/admin/auth/group/{group.pk}/change/", {"name": "all", "permissions": [right.pk]})

    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("all", 0)


@pytest.mark.parametrize("has", ["permission", "member"])
def test_who_is_no_superuser_neither_renames_nor_deletes_a_group_in_use(clerk, has):
    group = Group.objects.create(name="operators")
    if has == "permission":
        group.permissions.add(Permission.objects.get(codename="operate"))
    else:
        group.user_set.add(make.user())
    selected = {"action": "delete_selected", "post": "yes", "_selected_action": [group.pk]}

    clerk.post("/admin/auth/group/", selected)
    renamed = clerk.post(f"/admin/auth/group/{group.pk}/change/", {"name": "all"})
    deleted = clerk.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})

    assert (renamed.status_code, deleted.status_code) == (403, 403)
    assert Group.objects.get().name == "operators"


@pytest.mark.parametrize("path", ["", "{}/delete/"])
def test_the_deletion_of_a_group_is_on_record_with_what_it_granted(admin, path):
    group, right = Group.objects.create(name="operators"), Permission.objects.get(codename="operate")
    group.permissions.add(right)
    selected = {"action": "delete_selected", "post": "yes", "_selected_action": [group.pk]}

    admin.post(f"/admin/auth/group/{path.format(group.pk)}", selected)

    act = Act.objects.get()
    assert (act.what, act.target, act.details) == (
        "delete",
        f"auth.Group {group.pk}",
        {"permissions": [str(right)]},
    )
    assert not Group.objects.exists()


def test_a_superuser_gives_rights_and_that_is_on_record(admin):
    user = make.user()
    right = Permission.objects.get(codename="operate")
    form = as_form(user) | {"is_active": "on", "is_staff": "on", "user_permissions": [right.pk]}

    admin.post(f"/admin/chat/user/{user.pk}/change/", form)

    act = Act.objects.get()
    assert (act.who, act.what, act.target) == ("ada", "change rights", f"chat.User {user.pk}")
    assert act.origin == "admin from 127.0.0.1"
    assert act.details == {
        "before": {"is_staff": False, "user_permissions": []},
        "after": {"is_staff": True, "user_permissions": [str(right)]},
    }


def test_a_deactivation_a_new_password_and_a_group_s_rights_are_on_record(admin):
    user, group = make.user(), Group.objects.create(name="operators")
    password = {"usable_password": "true", "password1": "correct horse 9", "password2": "correct horse 9"}

    admin.post(f"/admin/chat/user/{user.pk}/change/", as_form(user))
    admin.post(f"/admin/chat/user/{user.pk}/password/", password)
    right = Permission.objects.get(codename="operate").pk
    admin.post(f"/admin/auth/group/{group.pk}/change/", {"name": "operators", "permissions": [right]})

    done = list(Act.objects.order_by("pk").values_list("what", "target"))
    assert done == [
        ("change rights", f"chat.User {user.pk}"),
        ("change password", f"chat.User {user.pk}"),
        ("change rights", f"auth.Group {group.pk}"),
    ]
    assert "correct horse" not in str(list(Act.objects.values_list("details", flat=True)))


def test_deletions_are_on_record_by_their_keys(admin):
    one, two, three = (make.conversation(title="Private") for _ in range(3))

    admin.post(f"/admin/chat/conversation/{one.pk}/delete/", {"post": "yes"})
    selected = {"action": "delete_selected", "post": "yes", "_selected_action": [two.pk, three.pk]}
    admin.post("/admin/chat/conversation/", selected)

    first, second = Act.objects.order_by("pk")
    assert (first.what, first.target) == ("delete", f"chat.Conversation {one.pk}")
    assert (second.target, second.details["rows"]) == ("chat.Conversation", 2)
    assert set(second.details["keys"]) == {str(two.pk), str(three.pk)}
    assert "Private" not in str([first.details, second.details])
    assert not Conversation.objects.exists()


def test_django_s_own_log_of_the_admin_keeps_no_words_of_a_row(admin):
    one, two = make.conversation(title="Private"), make.conversation(title="Private")
    user = make.user(username="hopper")

    admin.post(f"/admin/chat/user/{user.pk}/change/", as_form(user) | {"first_name": "Grace"})
    admin.post(f"/admin/chat/conversation/{one.pk}/delete/", {"post": "yes"})
    selected = {"action": "delete_selected", "post": "yes", "_selected_action": [two.pk]}
    admin.post("/admin/chat/conversation/", selected)

    logged = LogEntry.objects.order_by("pk").values_list("object_repr", "object_id")
    assert list(logged) == [
        (f"chat.User {user.pk}", str(user.pk)),
        (f"chat.Conversation {one.pk}", str(one.pk)),
        (f"chat.Conversation {two.pk}", str(two.pk)),
    ]


@pytest.mark.parametrize("is_superuser", [True, False])
def test_nobody_deletes_records_of_sign_ins_in_the_admin(is_superuser, request):
    browser = request.getfixturevalue("admin" if is_superuser else "clerk")
    token = OutstandingToken.objects.create(jti="1", token="t", expires_at=timezone.now())
    rows = [
        AccessAttempt.objects.create(username="eve", ip_address="192.0.2.1", failures_since_start=1),
        AccessLog.objects.create(username="eve", ip_address="192.0.2.1"),
        AccessFailureLog.objects.create(username="eve", ip_address="192.0.2.1"),
        BlacklistedToken.objects.create(token=token),
    ]

    for row in rows:
        path = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
        assert browser.get(path).status_code == 200
        browser.post(path, {"action": "delete_selected", "post": "yes", "_selected_action": [row.pk]})
        assert browser.post(f"{path}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert type(row).objects.filter(pk=row.pk).exists()
