"""The tokens of django-oauth-toolkit: deletes what ``cleartokens`` deletes, under the same conditions.

- Refresh tokens: revoked ones after REFRESH_TOKEN_GRACE_PERIOD_SECONDS (with
  REFRESH_TOKEN_REUSE_PROTECTION, after REFRESH_TOKEN_EXPIRE_SECONDS), those without an access token at
  once, others REFRESH_TOKEN_EXPIRE_SECONDS after their access token has expired.
- Access tokens and ID tokens: expired ones that no remaining refresh token or access token refers to.
- Grants: expired ones.

These are settings of OAUTH2_PROVIDER, so the policies have no retention of their own. Tokens are secrets:
they are not archived. ``expires`` and ``revoked`` have no index, so a purge walks the tables by key.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, Q, QuerySet
from oauth2_provider.models import (
    get_access_token_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from oauth2_provider.settings import oauth2_settings

from housekeeping import Policy

RefreshToken: type[Model] = get_refresh_token_model()
AccessToken: type[Model] = get_access_token_model()
IDToken: type[Model] = get_id_token_model()
Grant: type[Model] = get_grant_model()
NONE = Q(pk__in=[])


def _length(setting: str) -> timedelta:
    """A setting that is a timedelta, a number of seconds, or None."""
    value = getattr(oauth2_settings, setting, None) or 0
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _dead_refresh_tokens(now: datetime) -> QuerySet[Any]:
    idle, revoked_for = _length("REFRESH_TOKEN_EXPIRE_SECONDS"), _length("REFRESH_TOKEN_GRACE_PERIOD_SECONDS")
    expired = Q(revoked=None, access_token__expires__lte=now - idle) if idle else NONE
    revoked = Q(revoked__lte=now - revoked_for)
    if getattr(oauth2_settings, "REFRESH_TOKEN_REUSE_PROTECTION", False):
        # The toolkit recognizes a stolen token by its second use, so it has to know revoked ones.
        revoked = Q(revoked__lte=now - idle) if idle else NONE
    orphaned = Q(revoked=None, access_token=None)
    return RefreshToken._base_manager.filter(revoked | orphaned | expired)


def _dead_access_tokens(now: datetime) -> QuerySet[Any]:
    # A dry run must count those, too, whose refresh token is deleted first in the same run.
    is_free = Q(refresh_token=None) | Q(refresh_token__in=_dead_refresh_tokens(now))
    return AccessToken._base_manager.filter(is_free, expires__lt=now)


def _dead_id_tokens(now: datetime) -> QuerySet[Any]:
    is_free = Q(access_token=None) | Q(access_token__in=_dead_access_tokens(now))
    return IDToken._base_manager.filter(is_free, expires__lt=now)


UPKEEP = {
    # The order matters, as in cleartokens: rows of one table keep rows of the next.
    "deleted_oauth_tokens": (
        Policy("oauth_refresh_tokens", rows=_dead_refresh_tokens, is_upkeep=True),
        Policy("oauth_access_tokens", rows=_dead_access_tokens, is_upkeep=True),
        Policy("oauth_id_tokens", rows=_dead_id_tokens, is_upkeep=True),
        Policy("oauth_grants", rows=lambda now: Grant._base_manager.filter(expires__lt=now), is_upkeep=True),
    )
}
