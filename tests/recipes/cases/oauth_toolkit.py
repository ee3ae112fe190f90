"""A purge deletes exactly what ``cleartokens`` deletes, under several settings of OAUTH2_PROVIDER."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken

from housekeeping.models import Archive
from tests.recipes.host import steps

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


class Tokens:
    """Makes tokens that expired or were revoked some time ago; a negative time is in the future."""

    def __init__(self):
        self.owner = User.objects.create_user("ada")
        self.client = Application.objects.create(name="app", user=self.owner)

    def issue(self, name, *, expired, refresh=True, revoked=None, has_id_token=False):
        ends = {"user": self.owner, "application": self.client, "expires": timezone.now() - expired}
        id_token = IDToken.objects.create(scope=name, **ends) if has_id_token else None
        access = AccessToken.objects.create(token=name, id_token=id_token, scope=name, **ends)
        if refresh:
            self.refresh(name, access, revoked)

    def refresh(self, name, access=None, revoked=None):
        revoked_at = None if revoked is None else timezone.now() - revoked
        whose = {"user": self.owner, "application": self.client}
        RefreshToken.objects.create(token=name, access_token=access, revoked=revoked_at, **whose)

    def grant(self, name, *, expired):
        expires = timezone.now() - expired
        Grant.objects.create(user=self.owner, application=self.client, code=name, expires=expires)

    def all_kinds(self):
        for days in (-1, 1, 40):
            self.issue(f"alone, {days}", expired=days * DAY, refresh=False)
            self.issue(f"refreshed, {days}", expired=days * DAY)
            self.issue(f"identified, {days}", expired=days * DAY, has_id_token=True)
            self.issue(f"identified alone, {days}", expired=days * DAY, refresh=False, has_id_token=True)
            self.grant(f"grant, {days}", expired=days * DAY)
        for revoked in (0.001, 1, 40):
            self.issue(f"revoked, {revoked}", expired=-DAY, revoked=revoked * DAY)
            self.refresh(f"revoked orphan, {revoked}", revoked=revoked * DAY)
        self.refresh("orphan")
        # After a refresh: the old token is revoked, and the new one refers to it.
        self.refresh("rotated", revoked=2 * DAY)
        self.issue("successor", expired=DAY)
        source = RefreshToken.objects.get(token="rotated")
        AccessToken.objects.filter(token="successor").update(source_refresh_token=source)


def names():
    return {
        "access": set(AccessToken.objects.values_list("token", "source_refresh_token__token")),
        "refresh": set(RefreshToken.objects.values_list("token", "access_token__token")),
        "id": set(IDToken.objects.values_list("scope", flat=True)),
        "grants": set(Grant.objects.values_list("code", flat=True)),
    }


@pytest.fixture
def tokens():
    return Tokens()


def test_dead_tokens_are_deleted_without_an_archive_and_valid_ones_stay(tokens):
    tokens.issue("valid", expired=-DAY)
    tokens.issue("expired", expired=DAY, refresh=False)
    tokens.issue("revoked", expired=DAY, revoked=DAY, has_id_token=True)
    tokens.grant("old", expired=DAY)
    tokens.grant("new", expired=-DAY)

    expected = 5  # two access tokens, a refresh token, an ID token, a grant
    assert steps.preview("history")["deleted_oauth_tokens"] == expected
    assert steps.purge("history")[0]["deleted_oauth_tokens"] == expected

    assert names() == {
        "access": {("valid", None)},
        "refresh": {("valid", "valid")},
        "id": set(),
        "grants": {"new"},
    }
    assert not Archive.objects.exists()


@pytest.mark.parametrize(
    ("idle", "grace", "reuse_protection"),
    [(None, 0, False), (30 * 86_400, 7_200, False), (3 * DAY, 0, True)],
)
def test_a_purge_deletes_what_cleartokens_deletes(tokens, settings, idle, grace, reuse_protection):
    settings.OAUTH2_PROVIDER = {
        "REFRESH_TOKEN_EXPIRE_SECONDS": idle,
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": grace,
        "REFRESH_TOKEN_REUSE_PROTECTION": reuse_protection,
        "CLEAR_EXPIRED_TOKENS_BATCH_INTERVAL": 0,
    }
    tokens.all_kinds()
    everything = names()
    call_command("cleartokens")
    expected = names()
    for model in (RefreshToken, AccessToken, IDToken, Grant):
        model.objects.all().delete()
    tokens.all_kinds()

    counted = steps.preview("history")["deleted_oauth_tokens"]
    assert names() == everything
    deleted = steps.purge("history")[0]["deleted_oauth_tokens"]

    assert names() == expected
    assert counted == deleted == sum(len(everything[kind]) - len(expected[kind]) for kind in everything)
