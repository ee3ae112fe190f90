"""Which passwords are refused."""

from pathlib import Path

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from chat.models import User
from chat.sign_in import passwords
from tests import make
from tests.processes import ROOT

GUESSABLE = [
    "P@ssw0rd2024",
    "Housekeeping2026!",
    "scheduler-admin",
    "ada.lovelace1",
    "lovelace2026",
    "qwertyuiop!1",
    "abcabcabcabc",
    "adaadaada1",
    "acmetools77",
]


@pytest.fixture
def ada():
    return User(username="ada.lovelace", email="ada@lovelace.example")


@pytest.mark.parametrize("password", GUESSABLE)
def test_a_password_that_is_easy_to_guess_is_refused(password, ada, settings):
    settings.SITE_URL = "https://desk.acmetools.example"

    with pytest.raises(ValidationError) as refused:
        validate_password(password, ada)

    assert "password_guessable" in {error.code for error in refused.value.error_list}


FINE = [
    "correct horse battery",
    "xk2 vb9 qp 7",
    "housekeeping is not my hobby",
    "🦣 mammut 🦣 fell",
    "x1 yß z," * 200,
]


@pytest.mark.parametrize("password", FINE, ids=lambda text: text[:12])
def test_any_other_is_taken(password, ada):
    validate_password(password, ada)


def test_without_an_account_it_is_checked_too():
    with pytest.raises(ValidationError):
        validate_password("Housekeeping2026!")


@pytest.mark.django_db
def test_a_password_that_is_easy_to_guess_is_refused_at_every_door():
    weak, right = "Housekeeping2026!", "correct horse 9"
    make.administrator(username="ada", password=right)
    browser = Client()
    browser.post("/sign-in", {"username": "ada", "password": right})
    grace = {"username": "grace", "email": "grace@example.com"}

    registered = Client().post("/api/register", grace | {"password": weak}, "application/json")
    changed = browser.post("/password", {"old_password": right, "new_password1": weak, "new_password2": weak})
    fields = grace | {"password1": weak, "password2": weak, "usable_password": "true"}
    added = browser.post("/admin/chat/user/add/", fields)

    assert "easy to guess" in registered.json()["fields"]["password"][0]
    assert "easy to guess" in changed.text
    assert "easy to guess" in added.text
    assert User.objects.count() == 1


def test_the_docs_list_the_words_of_the_site():
    documented = Path(ROOT / "docs/explanation/security.md").read_text()
    line = next(line for line in documented.splitlines() if "6.1.2, 6.2.11" in line)

    assert [word for word in passwords.WORDS if word.removesuffix("s") not in line] == []


LONG = [
    "quiet purple walrus sings",
    "Ünlü 🦣 " * 16,
    "1 2 3 five six " * 5,
    "x" * 5 + " vQz 9!" * 17 + "last",
]


@pytest.mark.django_db
@pytest.mark.parametrize("password", LONG, ids=lambda text: text[:10])
def test_up_to_128_characters_of_any_kind_are_taken_as_typed(password):
    grace = {"username": "grace", "email": "grace@example.com", "password": password}

    registered = Client().post("/api/register", grace, "application/json")
    User.objects.update(is_active=True)

    assert registered.status_code == 201, registered.json()
    # as typed; in another case; cut; and with something more
    for typed, right in (
        (password, True),
        (password.swapcase(), False),
        (password[:-1], False),
        (f"{password}x", False),
    ):
        page = Client().post("/sign-in", {"username": "grace", "password": typed})
        assert (page.status_code == 302) == right, typed
