"""SimpleJWT's list of refresh tokens: those that have expired.

The row of a blacklisted token goes only once the token itself has expired: until then it must stay
known as blacklisted.
"""

from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from housekeeping import Policy

UPKEEP = {
    "deleted_tokens": (
        Policy(
            "tokens",
            rows=lambda cutoff: OutstandingToken.objects.filter(expires_at__lt=cutoff),
            age="expires_at",
            is_upkeep=True,
        ),
    )
}
