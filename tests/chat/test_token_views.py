"""Who gets a token, and what it opens."""

from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from chat.models import User
from tests import make
from tests.api.addresses import STATUS

pytestmark = pytest.mark.django_db


def sign_in(name, password):
    return APIClient().post("/api/token", {"username": name, "password": password})


def refresh(token):
    return APIClient().post("/api/token/refresh", {"refresh": str(token)})


def bearer(access):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


def test_a_name_and_a_password_give_a_token_that_opens_the_api():
    make.administrator(username="ada", password="correct horse")

    tokens = sign_in("ada", "correct horse")

    assert tokens.status_code == 200
    assert set(tokens.json()) == {"access", "refresh"}
    assert bearer(tokens.json()["access"]).get(STATUS).status_code == 200


def test_who_signs_in_through_the_api_alone_has_logged_in():
    make.user(username="ada", password="correct horse")

    sign_in("ada", "correct horse")

    assert User.objects.get().last_login > make.ago(minutes=1)


def test_a_wrong_password_gives_no_token():
    make.administrator(username="ada", password="correct horse")

    answer = sign_in("ada", "battery staple")

    assert answer.status_code == 401
    assert "access" not in answer.json()


def test_an_account_that_is_not_active_gets_no_token():
    make.visitor(username="eve", password="correct horse")

    assert sign_in("eve", "correct horse").status_code == 401


@pytest.mark.parametrize("path", ["/api/token", "/api/token/refresh", "/api/token/blacklist"])
def test_a_token_address_names_the_fields_that_it_misses(path):
    answer = APIClient().post(path, {})

    assert answer.status_code == 400
    assert set(answer.json()["fields"]) <= {"username", "password", "refresh"}


def test_a_refresh_token_gives_a_new_pair(administrator):
    pair = refresh(RefreshToken.for_user(administrator))

    assert pair.status_code == 200
    assert bearer(pair.json()["access"]).get(STATUS).status_code == 200
    assert refresh(pair.json()["refresh"]).status_code == 200


def test_a_refresh_token_is_good_for_one_use(administrator):
    token = RefreshToken.for_user(administrator)

    assert [refresh(token).status_code for _ in range(2)] == [200, 401]


def test_a_blacklisted_token_is_refused(administrator):
    token = RefreshToken.for_user(administrator)

    answer = APIClient().post("/api/token/blacklist", {"refresh": str(token)})

    assert answer.status_code == 200
    assert refresh(token).status_code == 401


def test_a_deactivated_account_is_out_at_once(administrator):
    token = RefreshToken.for_user(administrator)

    User.objects.filter(pk=administrator.pk).update(is_active=False)

    assert bearer(token.access_token).get(STATUS).status_code == 401
    assert refresh(token).status_code == 401


def test_a_changed_password_ends_the_tokens_made_with_the_old_one(administrator):
    token = RefreshToken.for_user(administrator)

    administrator.set_password("a new one")
    administrator.save()

    assert bearer(token.access_token).get(STATUS).status_code == 401
    renewed = refresh(token).json().get("access")
    assert bearer(renewed).get(STATUS).status_code == 401


def test_a_deleted_account_is_out_at_once(administrator):
    token = RefreshToken.for_user(administrator)

    administrator.delete()

    assert bearer(token.access_token).get(STATUS).status_code == 401
    assert refresh(token).status_code == 401


def test_a_token_that_has_run_out_is_refused(administrator):
    token = RefreshToken.for_user(administrator).access_token
    token.set_exp(from_time=datetime.now(UTC) - timedelta(hours=1))

    assert bearer(token).get(STATUS).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Bearer a.b.c", "Bearer a b", "Basic YTpi", "x"])
def test_what_is_no_token_of_ours_is_refused(header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)

    answer = client.get(STATUS)

    assert answer.status_code == 401
    assert "Bearer" in answer["WWW-Authenticate"]


def test_a_refresh_token_opens_nothing(administrator):
    assert bearer(RefreshToken.for_user(administrator)).get(STATUS).status_code == 401


def test_the_session_of_a_browser_opens_nothing(dashboard):
    assert dashboard.get(STATUS).status_code == 401


@pytest.mark.parametrize("path", ["/api/token/", "/api/token/refresh/", "/api/token/blacklist/"])
def test_a_token_address_accepts_a_trailing_slash(path):
    assert APIClient().post(path, {}).status_code == 400
