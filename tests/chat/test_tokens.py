"""How long tokens live, and what ends them."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings as site_settings
from django.contrib.auth.models import Permission
from django.db import connection
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from chat.tokens import RotatingToken
from tests import make
from tests.visitors import account

pytestmark = pytest.mark.django_db

STATUS = "/api/admin/scheduler/status"


def refresh(token):
    return APIClient().post("/api/token/refresh", {"refresh": str(token)})


def sign_out(token):
    return APIClient().post("/api/token/blacklist", {"refresh": str(token)})


def look(access):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client.get(STATUS).status_code


def test_tokens_are_short_lived():
    assert site_settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"] <= timedelta(minutes=15)
    assert site_settings.SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"] <= timedelta(days=1)


def test_a_refresh_token_that_is_used_twice_ends_all_that_came_of_it(administrator):
    stolen = RefreshToken.for_user(administrator)
    second = refresh(stolen).json()["refresh"]
    third = refresh(second).json()["refresh"]

    assert refresh(stolen).status_code == 401

    assert refresh(third).status_code == 401


def test_it_ends_none_of_another_sign_in(administrator):
    stolen, other = RefreshToken.for_user(administrator), RefreshToken.for_user(administrator)
    others = RefreshToken.for_user(make.user())
    refresh(stolen)

    refresh(stolen)

    assert refresh(other).status_code == refresh(others).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_a_refresh_token_at_the_same_moment_one_gets_a_pair(administrator):
    token = str(RefreshToken.for_user(administrator))

    def use(_):
        try:
            return refresh(token).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor() as both:
        codes = sorted(both.map(use, range(2)))

    assert codes == [200, 401]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", [refresh, sign_out])
@pytest.mark.parametrize("is_older", [False, True])
def test_a_token_that_is_given_while_its_family_ends_has_ended_too(is_older, end, administrator, monkeypatch):
    first = str(RefreshToken.for_user(administrator))
    newest = refresh(first).json()["refresh"] if is_older else first
    is_used_up, is_refused = threading.Event(), threading.Event()
    give = RotatingToken.outstand

    def give_slowly(token):
        is_used_up.set()
        is_refused.wait(0.5)  # longer would be in vain: who ends the family waits for this one
        return give(token)

    monkeypatch.setattr(RotatingToken, "outstand", give_slowly)

    def use():
        try:
            return refresh(newest)
        finally:
            connection.close()

    with ThreadPoolExecutor() as other:
        using = other.submit(use)
        is_used_up.wait(10)
        again = end(first)
        is_refused.set()
        given = using.result().json()["refresh"]

    assert again.status_code == 401
    assert refresh(given).status_code == 401


def test_a_used_token_at_the_sign_out_ends_all_that_came_of_it(administrator):
    copied = RefreshToken.for_user(administrator)
    of_the_thief = refresh(copied).json()["refresh"]

    assert sign_out(copied).status_code == 401

    assert refresh(of_the_thief).status_code == 401


def test_who_signs_out_ends_no_other_sign_in(administrator):
    token, other = RefreshToken.for_user(administrator), RefreshToken.for_user(administrator)

    assert sign_out(token).status_code == 200

    assert (refresh(token).status_code, refresh(other).status_code) == (401, 200)


def test_the_database_holds_no_token_that_can_be_used():
    make.user(username="ada", password="correct horse 9")
    pair = APIClient().post("/api/token", {"username": "ada", "password": "correct horse 9"}).json()
    newer = refresh(pair["refresh"]).json()

    kept = set(OutstandingToken.objects.values_list("token", flat=True))

    assert len(kept) == 2
    assert not kept & {pair["refresh"], newer["refresh"]}
    assert {refresh(token).status_code for token in kept} == {401}
    assert refresh(newer["refresh"]).status_code == 200


def test_a_stolen_token_of_a_real_sign_in_ends_its_family():
    make.user(username="ada", password="correct horse 9")
    stolen = (
        APIClient().post("/api/token", {"username": "ada", "password": "correct horse 9"}).json()["refresh"]
    )
    newest = refresh(refresh(stolen).json()["refresh"]).json()["refresh"]

    assert refresh(stolen).status_code == refresh(newest).status_code == 401


def test_a_changed_password_ends_refresh_tokens_too(administrator):
    token = RefreshToken.for_user(administrator)

    administrator.set_password("a new one 9")
    administrator.save()

    assert refresh(token).status_code == 401
    assert look(token.access_token) == 401


def test_a_token_of_a_deactivated_account_is_dead(administrator):
    token = RefreshToken.for_user(administrator)
    type(administrator).objects.update(is_active=False)

    assert (look(token.access_token), refresh(token).status_code) == (401, 401)


@pytest.mark.parametrize("change", [{"is_superuser": False}, {"is_active": False}])
def test_a_superuser_no_more_has_lost_the_right_at_the_next_request(change, administrator):
    access = RefreshToken.for_user(administrator).access_token
    assert look(access) == 200

    type(administrator).objects.update(**change)

    assert look(access) in (401, 403)


def test_a_right_that_is_taken_away_is_gone_at_the_next_request():
    viewer = account("view_run")
    access = RefreshToken.for_user(viewer).access_token
    assert look(access) == 200

    viewer.user_permissions.remove(Permission.objects.get(codename="view_run"))

    assert look(access) == 403


def test_a_token_that_nobody_signed_opens_nothing(administrator):
    header, body, signature = str(RefreshToken.for_user(administrator).access_token).split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = base64.urlsafe_b64encode(json.dumps(claims | {"user_id": "1"}).encode()).decode().rstrip("=")

    for forged in (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{header}.{other}x.{signature}"):
        assert look(forged) == 401


def test_a_token_is_taken_from_the_header_alone(administrator):
    access = str(RefreshToken.for_user(administrator).access_token)

    assert APIClient().get(STATUS, {"access": access, "token": access}).status_code == 401
