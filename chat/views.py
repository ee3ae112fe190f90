"""The chat's JSON API, and the page that a verification link opens."""

from datetime import UTC
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import api_view, authentication_classes, permission_classes, throttle_classes
from rest_framework.exceptions import APIException, NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from chat import accounts, conversations, throttles
from chat.forms import PasswordForm
from chat.models import Conversation, User
from chat.serializers import (
    AccountSerializer,
    ChatSerializer,
    ContentSerializer,
    ConversationPageSerializer,
    ConversationSerializer,
    MessagePageSerializer,
    MessageSerializer,
    RegistrationSerializer,
    SaidSerializer,
    VerificationSerializer,
)


class MailUnreachable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "mail_unreachable"
    default_detail = "The verification mail could not be sent. Please try again later."


class Held(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "held"
    default_detail = "This conversation is on hold, so it can't be deleted."


class NewestFirst(CursorPagination):
    ordering = ("-created_at", "-id")
    page_size = 50

    def paginate_queryset(self, *args: Any, **kwargs: Any) -> list[Any] | None:
        try:
            return super().paginate_queryset(*args, **kwargs)
        except (ValueError, OverflowError) as error:  # no page has given this cursor
            raise NotFound(self.invalid_cursor_message) from error

    def decode_cursor(self, request: Any) -> Any:
        """Raises NotFound if the cursor's position is not a time with an offset."""
        cursor: Any = super().decode_cursor(request)
        if cursor and cursor.position is not None:
            moment = parse_datetime(cursor.position)
            if moment is None or timezone.is_naive(moment):
                raise NotFound(self.invalid_cursor_message)
            moment.astimezone(UTC)  # the database stores UTC; OverflowError if that is out of range
        return cursor


KEY = OpenApiParameter("id", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH)
PROBLEM_TYPE = "application/problem+json"
PROBLEM = {"$ref": "#/components/schemas/Problem"}
HELD = OpenApiExample(
    "On hold",
    {"message": Held.default_detail, "code": Held.default_code, "status": Held.status_code},
    response_only=True,
    status_codes=["409"],
)
CURSOR = OpenApiParameter("cursor", str, description="Taken from next or previous.")


@extend_schema(
    summary="Register an account; its verification link comes by mail",
    request=RegistrationSerializer,
    responses={201: AccountSerializer},
    examples=[
        OpenApiExample(
            "Ada",
            {"username": "ada", "email": "ada@example.com", "password": "correct horse battery"},
            request_only=True,
        )
    ],
)
@api_view(["POST"])
@authentication_classes([])
@permission_classes([AllowAny])
@throttle_classes([throttles.RegisterByAddress])
def register(request: Request) -> Response:
    """Answers the same whether or not the mail address has an account already."""
    fields = RegistrationSerializer(data=request.data)
    fields.is_valid(raise_exception=True)
    asked = fields.validated_data
    try:
        user = accounts.register(**asked)
    except accounts.AlreadyTaken as error:
        raise ValidationError({"username": [str(error)]}) from error
    except OSError as error:  # from the mail server: smtplib's errors are OSErrors, too
        raise MailUnreachable from error
    return Response(
        {"id": user.pk, "username": user.username, "email": asked["email"].lower(), "verified": False},
        status=status.HTTP_201_CREATED,
    )


@extend_schema(
    summary="Verify the mail address of an account",
    request=VerificationSerializer,
    responses=AccountSerializer,
)
@api_view(["POST"])
@authentication_classes([])
@permission_classes([AllowAny])
@throttle_classes([throttles.VerifyByAddress])
def verify(request: Request) -> Response:
    fields = VerificationSerializer(data=request.data)
    fields.is_valid(raise_exception=True)
    try:
        user = accounts.verify(**fields.validated_data)
    except accounts.BadVerificationLink as error:
        raise ValidationError({"token": [str(error)]}) from error
    except accounts.WrongPassword as error:
        raise ValidationError({"password": [str(error)]}) from error
    return Response({"id": user.pk, "username": user.username, "email": user.email, "verified": True})


@require_http_methods(["GET", "HEAD", "POST"])
def verify_page(request: HttpRequest, token: str) -> HttpResponse:
    """A page with a form, because mail scanners follow links and must not verify an address that way.

    It asks for the password, because the reader of the mail may not be the person who registered.
    """
    facts: dict[str, Any] = {}
    try:
        facts["account"] = accounts.read_token(token)
        if request.method == "POST":
            facts["verified"] = accounts.verify(token, request.POST.get("password", ""))
    except accounts.BadVerificationLink as error:
        facts["problem"] = str(error)
    except accounts.WrongPassword as error:
        facts["password_problem"] = str(error)
    is_refused = "problem" in facts or "password_problem" in facts
    return render(request, "chat/verify.html", facts, status=400 if is_refused else 200)


class PasswordPage(PasswordChangeView):
    """Changes the password, which ends all other sessions and all tokens."""

    form_class = PasswordForm
    template_name = "registration/password.html"
    success_url = reverse_lazy("password")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            accounts.password_changed(_user(self.request), self.request)
        messages.success(self.request, gettext("Your password has been changed."))
        UserSession.objects.create_from_request(self.request)  # the session has a new key
        return answer


@extend_schema(
    summary="Post a message, in a new conversation or in one of your own",
    request=ChatSerializer,
    responses={201: SaidSerializer},
    examples=[OpenApiExample("Hello", {"message": "Hello"}, request_only=True)],
)
@api_view(["POST"])
@throttle_classes([throttles.Posts])
def chat(request: Request) -> Response:
    fields = ChatSerializer(data=request.data, user=_user(request))
    fields.is_valid(raise_exception=True)
    try:
        message, reply = conversations.say(
            _user(request), fields.validated_data["message"], fields.validated_data["conversation"]
        )
    except Conversation.DoesNotExist as error:  # deleted since the lookup
        raise NotFound from error
    return Response(
        {
            "conversation": message.conversation_id,
            "message": MessageSerializer(message).data,
            "reply": MessageSerializer(reply).data if reply else None,
        },
        status=status.HTTP_201_CREATED,
    )


@extend_schema(
    methods=["GET"],
    summary="List your conversations, newest first",
    responses=ConversationPageSerializer,
    parameters=[CURSOR],
)
@extend_schema(
    methods=["POST"],
    summary="Start a conversation",
    request=ConversationSerializer,
    responses={201: ConversationSerializer},
    examples=[OpenApiExample("Plans", {"title": "Plans"}, request_only=True)],
)
@api_view(["GET", "HEAD", "POST"])
@throttle_classes([throttles.Posts])
def conversation_list(request: Request) -> Response:
    if request.method == "POST":
        fields = ConversationSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        conversation = conversations.start(_user(request), fields.validated_data.get("title", ""))
        return Response(ConversationSerializer(conversation).data, status=status.HTTP_201_CREATED)

    pages = NewestFirst()
    page = pages.paginate_queryset(Conversation.objects.of(_user(request)), request)
    return pages.get_paginated_response(ConversationSerializer(page, many=True).data)


@extend_schema(
    methods=["GET"], summary="Show a conversation", responses=ConversationSerializer, parameters=[KEY]
)
@extend_schema(
    methods=["DELETE"],
    summary="Delete a conversation with all its messages",
    responses={204: None, (409, PROBLEM_TYPE): OpenApiResponse(PROBLEM, "The conversation is on hold.")},
    parameters=[KEY],
    examples=[HELD],
)
@api_view(["GET", "HEAD", "DELETE"])
def conversation_detail(request: Request, pk: int) -> Response:
    conversation = get_object_or_404(Conversation.objects.of(_user(request)), pk=pk)
    if request.method == "DELETE":
        try:
            conversations.delete(conversation)
        except conversations.ConversationHeld as error:
            raise Held from error
        return Response(status=status.HTTP_204_NO_CONTENT)
    return Response(ConversationSerializer(conversation).data)


@extend_schema(
    methods=["GET"],
    summary="List the messages of a conversation, newest first",
    responses=MessagePageSerializer,
    parameters=[KEY, CURSOR],
)
@extend_schema(
    methods=["POST"],
    summary="Add a message",
    request=ContentSerializer,
    responses={201: MessageSerializer},
    parameters=[KEY],
    examples=[OpenApiExample("Hello", {"content": "Hello"}, request_only=True)],
)
@api_view(["GET", "HEAD", "POST"])
@throttle_classes([throttles.Posts])
def message_list(request: Request, pk: int) -> Response:
    conversation = get_object_or_404(Conversation.objects.of(_user(request)), pk=pk)
    if request.method == "POST":
        fields = ContentSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        try:
            message = conversations.post(conversation, fields.validated_data["content"])
        except Conversation.DoesNotExist as error:  # deleted since the lookup
            raise NotFound from error
        return Response(MessageSerializer(message).data, status=status.HTTP_201_CREATED)

    pages = NewestFirst()
    page = pages.paginate_queryset(conversation.messages.all(), request)
    return pages.get_paginated_response(MessageSerializer(page, many=True).data)


def _user(request: Request | HttpRequest) -> User:
    assert isinstance(request.user, User)  # guaranteed by IsAuthenticated, the API's default
    return request.user
