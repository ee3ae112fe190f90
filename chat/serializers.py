"""The chat's JSON: which requests it accepts, and how it writes rows."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import update_last_login
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenObtainSerializer,
    TokenRefreshSerializer,
)

from chat import sign_ins, tokens
from chat.models import ChatMessage, Conversation, User
from chat.sign_in import factors
from chat.tokens import RotatingToken

MESSAGE_LENGTH = 32_000
# At least one character that is not white space.
SOMETHING = RegexValidator(r"\S", "Enter some text.")


class TextField(serializers.CharField):
    """Accepts strings only. DRF's own field turns numbers into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Enter a string.")
        return super().to_internal_value(data)


class KeyField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str):
            raise serializers.ValidationError("Enter a whole number.")
        return super().to_internal_value(data)


class UsernameField(TextField):
    """Normalizes the name (NFKC) before its limits are checked, since it is stored that way."""

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class RegistrationSerializer(serializers.Serializer[User]):
    """A new account."""

    username = UsernameField(
        max_length=150, validators=[UnicodeUsernameValidator()], help_text="The name to sign in with."
    )
    email = serializers.EmailField(max_length=254, help_text="It gets a link that verifies it.")
    password = TextField(max_length=128, trim_whitespace=False, help_text="8 characters or more.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            validate_password(attrs["password"], User(username=attrs["username"], email=attrs["email"]))
        except ValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        return attrs


class VerificationSerializer(serializers.Serializer[Any]):
    """The token of the mail, and the password."""

    token = TextField(max_length=1000, validators=[SOMETHING], help_text="The end of the link in the mail.")
    password = TextField(
        max_length=128,
        trim_whitespace=False,
        help_text="The password of the registration.",
        error_messages={"required": "Also send the password that the account was registered with."},
    )


class MessageSerializer(serializers.ModelSerializer[ChatMessage]):
    """A message of a conversation."""

    class Meta:
        model = ChatMessage
        fields = ["id", "role", "content", "created_at"]
        extra_kwargs = {"role": {"help_text": "Who wrote it."}, "content": {"help_text": "The text."}}


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """A conversation."""

    title = TextField(max_length=200, required=False, allow_blank=True)

    class Meta:
        model = Conversation
        fields = ["id", "title", "created_at", "last_message_at"]
        read_only_fields = ["created_at", "last_message_at"]
        extra_kwargs = {
            "last_message_at": {"help_text": "When its newest message was posted; null: it has none."}
        }


class ContentSerializer(serializers.Serializer[Any]):
    """A message to add."""

    content = TextField(max_length=MESSAGE_LENGTH, validators=[SOMETHING], help_text="The text.")


class ChatSerializer(serializers.Serializer[Any]):
    """A message, and optionally the conversation to post it in, one of the user's own."""

    message = TextField(max_length=MESSAGE_LENGTH, validators=[SOMETHING])
    conversation = serializers.PrimaryKeyRelatedField(
        queryset=Conversation.objects.none(),
        pk_field=KeyField(),
        required=False,
        allow_null=True,
        default=None,
        help_text="null: a new one.",
    )

    def __init__(self, *args: Any, user: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if user:
            self.fields["conversation"].queryset = Conversation.objects.of(user)  # type: ignore[attr-defined]


class CodeRequired(AuthenticationFailed):
    default_code = "otp_required"
    default_detail = "This account has a second factor: send its code as otp, too."


class CodeRefused(AuthenticationFailed):
    default_code = "otp_refused"
    default_detail = "The code is wrong, or has been used before."


class TooManyCodes(Throttled):
    default_code = "otp_locked"
    default_detail = "Too many codes were wrong."


class FactorMissing(PermissionDenied):
    default_code = "otp_missing"
    default_detail = "This site demands a second factor of this account. Sign in on its page to set one up."


class SignInSerializer(TokenObtainPairSerializer):
    """Exchanges a name, a password and, if the account has a second factor, its code for a pair of tokens.

    Failures count like those of the sign-in page.
    """

    token_class = RotatingToken

    def __init__(self, *args: Any, context: dict[str, Any], **kwargs: Any) -> None:
        # django-axes marks the request that it is given, and reads the marks from Django's own request.
        super().__init__(*args, context=context | {"request": context["request"]._request}, **kwargs)
        self.fields["password"].trim_whitespace = False  # type: ignore[attr-defined]  # taken as it was chosen

    otp = TextField(required=False, max_length=20)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        # Not that of the class above, which issues the tokens before a code could be checked.
        TokenObtainSerializer.validate(self, attrs)
        assert isinstance(self.user, User)  # otherwise the line above has raised
        self.context["request"].tried_account = self.user.pk  # for the log, if its code is refused
        has_code = self._second_factor(self.user, attrs.get("otp", ""))
        refresh = RotatingToken.by_sign_in(self.user, has_code=has_code)
        update_last_login(None, self.user)  # type: ignore[arg-type]
        sign_ins.token_given(self.context["request"], self.user)
        return {"refresh": str(refresh), "access": str(refresh.access_token)}

    def _second_factor(self, user: User, code: str) -> bool:
        """Whether ``code`` was needed, and is right."""
        if factors.is_missing(user):
            raise FactorMissing
        if not factors.has_one(user):
            return False
        if not code:
            raise CodeRequired
        try:
            factors.check(user, code)
        except factors.TooManyCodes as error:
            raise TooManyCodes(settings.AXES_COOLOFF_TIME.total_seconds()) from error
        except factors.WrongCode as error:
            raise CodeRefused from error
        return True


class RefreshSerializer(TokenRefreshSerializer):
    """Answers 401 if the account is gone; SIMPLE_JWT's own serializer would answer 500."""

    token_class = RotatingToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        try:
            with tokens.one_use():
                return super().validate(attrs)
        except User.DoesNotExist as error:
            raise AuthenticationFailed(self.error_messages["no_active_account"]) from error


class SignOutSerializer(TokenBlacklistSerializer):
    """Ends the token's whole family if the token was used before, as a refresh does."""

    token_class = RotatingToken

    def validate(self, attrs: dict[str, Any]) -> dict[Any, Any]:
        with tokens.one_use():
            return super().validate(attrs)


class AccountSerializer(serializers.Serializer[User]):
    """An account, as its registration is answered."""

    id = serializers.IntegerField()
    username = serializers.CharField(help_text="The name to sign in with.")
    email = serializers.EmailField(help_text="Where its mails go.")
    verified = serializers.BooleanField(help_text="Its address is verified, so that it can sign in.")


class SaidSerializer(serializers.Serializer[Any]):
    """The message that was posted, and the reply."""

    conversation = serializers.IntegerField(help_text="The id of the conversation.")
    message = MessageSerializer()
    reply = MessageSerializer(allow_null=True, help_text="null: nobody replies.")


class _PageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ConversationPageSerializer(_PageSerializer):
    """One page of conversations, newest first."""

    results = ConversationSerializer(many=True)


class MessagePageSerializer(_PageSerializer):
    """One page of messages, newest first."""

    results = MessageSerializer(many=True)
