"""How sign-ins and tokens are throttled, and what is told by it."""

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.test import Client
from django.utils import timezone

from chat import sign_ins
from chat.sign_in.receivers import SIGNED_IN_AT
from tests import make

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
LIMIT = 5


@pytest.fixture(autouse=True)
def _quick_hash(settings):
    """What is counted here is attempts, hundreds of them: each would take 0.3 s to hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def page(name, password="wrong", *, address="198.51.100.1"):
    return Client(REMOTE_ADDR=address).post("/sign-in", {"username": name, "password": password})


def token(name, password="wrong", *, address="198.51.100.1"):
    body = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/api/token", body, "application/json")


def fail(times, name="ada", by=page, **options):
    return [by(name, **options).status_code for _ in range(times)]


def failed(times, name, address):
    """So many failures that others had, just now."""
    AccessAttempt.objects.create(username=name, ip_address=address, failures_since_start=times)


@pytest.fixture
def ada():
    return make.administrator(username="ada", password=PASSWORD)


@pytest.mark.parametrize("by", [page, token])
@pytest.mark.parametrize("name", ["ada", "nobody of this name"])
def test_after_five_failures_not_even_the_right_password_is_looked_at(by, name, ada):
    codes = fail(LIMIT, name, by)

    refused = by(name, PASSWORD)

    assert codes[-1] == 429
    assert 429 not in codes[:-1]
    assert refused.status_code == 429
    assert refused["Retry-After"] == "900"
    assert refused["Cache-Control"]
    assert name not in refused.content.decode()


def test_who_is_refused_reads_a_page_of_ours_or_json(ada):
    fail(LIMIT)

    assert "Too many attempts" in page("ada").content.decode()
    assert page("ada")["Content-Security-Policy"]
    problem = token("ada").json()
    assert "15 minutes" in problem["message"]
    assert (problem["code"], problem["status"]) == ("locked_out", 429)
    assert problem["detail"] == problem["message"]


@pytest.mark.parametrize("by", [page, token])
def test_the_answers_are_the_same_whether_the_account_exists(by, ada):
    def answers(name):
        for _ in range(LIMIT + 1):
            answer = by(name)
            text = re.sub(rf"\b([A-Za-z0-9]{{64}}|{name})\b", "", answer.text)  # a CSRF token, or the name
            yield answer.status_code, sorted(answer.headers), text

    assert list(answers("ada")) == list(answers("eve"))


def test_the_page_and_the_token_count_together(ada):
    fail(3, by=page)
    fail(2, by=token)

    assert page("ada", PASSWORD).status_code == token("ada", PASSWORD).status_code == 429


def test_the_owner_signs_in_from_another_address_meanwhile(ada):
    fail(LIMIT)

    assert page("ada", PASSWORD, address="203.0.113.7").status_code == 302
    assert token("ada", PASSWORD, address="203.0.113.7").status_code == 200


def test_a_lock_ends_by_itself_however_stubborn_the_client_is(ada):
    fail(LIMIT)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    fail(3)

    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))

    assert AccessAttempt.objects.get().failures_since_start == LIMIT
    assert page("ada", PASSWORD).status_code == 302


@pytest.mark.parametrize("by", [page, token])
def test_who_gets_in_starts_anew(by, ada):
    fail(LIMIT - 1)

    by("ada", PASSWORD)

    assert fail(LIMIT - 1, by=by).count(429) == 0


def test_an_address_that_tries_many_accounts_is_refused_for_each(ada):
    for number in range(sign_ins.ADDRESS_LIMIT - 1):
        failed(1, f"somebody{number}", "198.51.100.1")
    page("one more")

    assert page("ada", PASSWORD).status_code == 429
    assert page("ada", PASSWORD, address="203.0.113.7").status_code == 302


def test_an_account_of_one_s_own_does_not_clear_what_one_tried_on_others(ada):
    make.user(username="eve", password=PASSWORD)
    fail(LIMIT - 1)

    assert page("eve", PASSWORD).status_code == 302
    assert token("eve", PASSWORD).status_code == 200

    assert page("ada").status_code == 429


def test_many_machines_that_guess_together_are_refused_everywhere(ada):
    for number in range(sign_ins.ACCOUNT_LIMIT - 1):
        failed(1, "ada", f"192.0.2.{number}")
    page("ada", address="192.0.2.99")

    assert page("ada", PASSWORD, address="203.0.113.7").status_code == 429
    assert token("ada", PASSWORD, address="203.0.113.7").status_code == 429


@pytest.mark.parametrize("by", [page, token])
def test_nobody_locks_the_owner_out_of_where_the_owner_works(by, ada):
    by("ada", PASSWORD, address="203.0.113.7")
    for number in range(sign_ins.ACCOUNT_LIMIT - 1):
        failed(1, "ada", f"192.0.2.{number}")
    page("ada", address="192.0.2.99")

    assert by("ada", PASSWORD, address="203.0.113.7").status_code in (200, 302)
    assert by("ada", PASSWORD, address="203.0.113.8").status_code == 429


def test_who_has_an_ipv6_network_is_counted_once(ada):
    for number in range(LIMIT):
        page("ada", address=f"2001:db8:1:1::{number:x}")

    assert page("ada", PASSWORD, address="2001:db8:1:1:ffff::1").status_code == 429
    assert page("ada", PASSWORD, address="2001:db8:1:2::1").status_code == 302


def test_a_made_up_address_is_not_believed_without_a_proxy(ada):
    for number in range(LIMIT):
        Client(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}").post(
            "/sign-in", {"username": "ada", "password": "x"}
        )

    assert page("ada", PASSWORD, address="127.0.0.1").status_code == 429


def test_behind_a_proxy_each_client_is_counted_by_itself(ada, settings):
    settings.BEHIND_PROXY = True
    for _ in range(LIMIT):
        Client(HTTP_X_FORWARDED_FOR="6.6.6.6, 192.0.2.1").post(
            "/sign-in", {"username": "ada", "password": "x"}
        )

    attacker = Client(HTTP_X_FORWARDED_FOR="7.7.7.7, 192.0.2.1")
    owner = Client(HTTP_X_FORWARDED_FOR="203.0.113.7")

    assert attacker.post("/sign-in", {"username": "ada", "password": PASSWORD}).status_code == 429
    assert owner.post("/sign-in", {"username": "ada", "password": PASSWORD}).status_code == 302


def change_password(user, old="wrong", new="another horse 7", *, address="198.51.100.1"):
    browser = Client(REMOTE_ADDR=address)
    browser.force_login(user)
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    return browser.post("/password", fields)


def test_who_stole_a_session_does_not_guess_at_the_password_without_an_end(ada):
    codes = [change_password(ada).status_code for _ in range(LIMIT)]

    refused = change_password(ada, PASSWORD)

    assert codes == [200] * (LIMIT - 1) + [429]
    assert (refused.status_code, refused["Retry-After"]) == (429, "900")
    assert "Too many attempts" in refused.text
    assert page("ada", PASSWORD).status_code == 429
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_meanwhile_the_owner_changes_the_password_elsewhere_and_afterwards_here(ada):
    for _ in range(LIMIT):
        change_password(ada)

    assert change_password(ada, PASSWORD, address="203.0.113.7").status_code == 302
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    ada.refresh_from_db()
    assert change_password(ada, "another horse 7", "a third horse 5").status_code == 302


def test_who_knows_the_old_password_starts_anew(ada):
    fail(LIMIT - 1)

    change_password(ada, PASSWORD)

    assert fail(LIMIT - 1).count(429) == 0


# Each page that asks for a password: its address, and what is sent to it.
PASSWORD_FORMS = {
    "/sign-in": {"username": "ada", "password": "hunter2"},
    "/password": {"old_password": "hunter2", "new_password1": "hunter3 and", "new_password2": "hunter3 and"},
    "/account/app": {"confirm-password": "hunter2", "confirm-page": "yes"},
    "/scheduler-admin/erasures/begin?for=grace@example.com": {
        "account": "grace@example.com",
        "confirm-password": "hunter2",
    },
}


@pytest.mark.parametrize("path", PASSWORD_FORMS)
def test_a_failed_sign_in_stores_nothing_that_was_sent_with_it(path, ada):
    browser = Client()
    if path != "/sign-in":
        browser.force_login(ada)
        session = browser.session
        session[SIGNED_IN_AT] = 0  # long ago, so that the question for the password is asked
        session.save()

    for _ in range(2):  # django-axes appends the second to the row of the first
        browser.post(path, PASSWORD_FORMS[path])

    attempt = AccessAttempt.objects.get()
    assert attempt.failures_since_start == 2
    stored = f"{AccessAttempt.objects.values()} {AccessFailureLog.objects.values()}"
    assert not re.findall("hunter|grace|confirm|csrf", stored)


def test_the_admin_s_own_page_for_it_leads_to_this_one(ada):
    browser = Client()
    browser.force_login(ada)

    for method in ("GET", "POST"):
        answer = browser.generic(method, "/admin/password_change/")
        assert (answer.status_code, answer["Location"]) == (302, "/password")


@pytest.mark.parametrize("name", ["x" * 5000, "\x00", "‮evil", "a\nb", "", "🦣"])
@pytest.mark.parametrize("by", [page, token])
def test_no_name_makes_the_site_fail(by, name):
    assert by(name).status_code < 500


@pytest.mark.parametrize("address", ["", "unix:", "::ffff:198.51.100.1"])
def test_no_address_makes_the_site_fail(address, ada):
    assert page("ada", address=address).status_code == 200


def test_what_was_tried_is_on_record_without_the_password(ada):
    page("ada", "hunter2")
    page("ada", PASSWORD)

    attempt = AccessFailureLog.objects.get()
    success = AccessLog.objects.get()

    assert (attempt.username, attempt.ip_address) == (success.username, success.ip_address)
    assert "hunter2" not in str(AccessAttempt.objects.values())


def test_a_token_opens_no_session(ada):
    answer = token("ada", PASSWORD)

    assert answer.status_code == 200
    assert not answer.cookies
