import pytest

from chat.models import ChatMessage, Conversation, User
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
