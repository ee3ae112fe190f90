"""The chat's JSON: what is accepted, and how rows are written."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer

from chat import sign_ins
from chat.models import ChatMessage, Conversation, User
from chat.tokens import RotatingToken

MESSAGE_LENGTH = 32_000


class UsernameField(serializers.CharField):
    """A name in the form that it is kept in (NFKC): that form is what the limits are for."""

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class RegistrationSerializer(serializers.Serializer[User]):
    username = UsernameField(max_length=150, validators=[UnicodeUsernameValidator()])
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=128, trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            validate_password(attrs["password"], User(username=attrs["username"], email=attrs["email"]))
        except ValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        return attrs


class VerificationSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=1000)


class MessageSerializer(serializers.ModelSerializer[ChatMessage]):
    class Meta:
        model = ChatMessage
        fields = ["id", "role", "content", "created_at"]


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    class Meta:
        model = Conversation
        fields = ["id", "title", "created_at", "last_message_at"]
        read_only_fields = ["created_at", "last_message_at"]


class ContentSerializer(serializers.Serializer[Any]):
    content = serializers.CharField(max_length=MESSAGE_LENGTH)


class ChatSerializer(serializers.Serializer[Any]):
    """A message, and the user's own conversation that it goes on in."""

    message = serializers.CharField(max_length=MESSAGE_LENGTH)
    conversation = serializers.PrimaryKeyRelatedField(
        queryset=Conversation.objects.none(),
        pk_field=serializers.IntegerField(),
        required=False,
        allow_null=True,
        default=None,
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["conversation"].queryset = Conversation.objects.of(user)  # type: ignore[attr-defined]


class SignInSerializer(TokenObtainPairSerializer):
    """A name and a password for a pair of tokens, watched over like a sign-in on the page."""

    token_class = RotatingToken

    def __init__(self, *args: Any, context: dict[str, Any], **kwargs: Any) -> None:
        # Django's own request: django-axes marks the one that it is handed, and looks at Django's.
        super().__init__(*args, context=context | {"request": context["request"]._request}, **kwargs)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        pair = super().validate(attrs)
        assert isinstance(self.user, User)  # else the line above has refused
        sign_ins.token_given(self.context["request"], self.user)
        return pair


class RefreshSerializer(TokenRefreshSerializer):
    """SIMPLE_JWT's own takes it for a failure of the server that an account is gone."""

    token_class = RotatingToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        try:
            return super().validate(attrs)
        except User.DoesNotExist as error:
            raise AuthenticationFailed(self.error_messages["no_active_account"]) from error
