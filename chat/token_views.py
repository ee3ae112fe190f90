"""The views that issue tokens for the API: SIMPLE_JWT's own, with throttles and descriptions."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework_simplejwt import views as jwt

from chat import throttles
from chat.serializers import SOMETHING


class Credentials(serializers.Serializer[None]):
    """The name and the password of an account."""

    username = serializers.CharField(validators=[SOMETHING], help_text="Of the account.")
    password = serializers.CharField(validators=[SOMETHING], help_text="Of the account.")
    otp = serializers.CharField(
        required=False,
        max_length=20,
        help_text="The code of the account's second factor, or one of its recovery codes. Each works once.",
    )


class RefreshToken(serializers.Serializer[None]):
    """A refresh token."""

    refresh = serializers.CharField(validators=[SOMETHING], help_text="It can be used once.")


class TokenPair(serializers.Serializer[None]):
    """A pair of tokens."""

    access = serializers.CharField(help_text="Send it as Authorization: Bearer …; it lasts some minutes.")
    refresh = serializers.CharField(help_text="Exchange it once for the next pair.")


class Obtain(jwt.TokenObtainPairView):
    """The access token lasts some minutes, the refresh token a day."""

    throttle_classes = [throttles.Tokens]

    @extend_schema(
        operation_id="create_token",
        summary="Exchange a name and a password for a pair of tokens",
        description="An account with a second factor also sends its code, as otp.",
        request=Credentials,
        responses={200: TokenPair},
        examples=[
            OpenApiExample(
                "An administrator", {"username": "admin", "password": "correct horse"}, request_only=True
            )
        ],
    )
    def post(self, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        return super().post(request, *args, **kwargs)


class Refresh(jwt.TokenRefreshView):
    """A refresh token that is used a second time ends all tokens of its sign-in."""

    throttle_classes = [throttles.RefreshByAddress]

    @extend_schema(
        operation_id="refresh_token",
        summary="Exchange a refresh token for a new pair",
        request=RefreshToken,
        responses={200: TokenPair},
    )
    def post(self, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        return super().post(request, *args, **kwargs)


class Blacklist(jwt.TokenBlacklistView):
    """The access token of the pair lasts until it runs out."""

    throttle_classes = [throttles.RefreshByAddress]

    @extend_schema(
        operation_id="blacklist_token",
        summary="End a refresh token",
        request=RefreshToken,
        responses={200: {"type": "object", "maxProperties": 0}},
    )
    def post(self, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        return super().post(request, *args, **kwargs)
