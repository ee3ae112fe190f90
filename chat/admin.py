"""Django's admin for accounts, groups, conversations, and the records of sign-ins.

Staff who may change accounts must not gain rights that way. So only superusers grant and revoke rights,
and only superusers change or delete an account that has any: setting its password would give its rights
away, too.
"""

from typing import Any

from allauth.account.admin import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.usersessions.admin import UserSession
from axes.admin import AccessAttemptAdmin, AccessFailureLogAdmin, AccessLogAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework_simplejwt.token_blacklist.admin import BlacklistedTokenAdmin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from chat import accounts
from chat.clock import Now
from chat.forms import AccountForm
from chat.models import ChatMessage, Conversation, User
from housekeeping.admin import RecordsActs, RefusesHeld

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")
# Changes of who an account belongs to: the act, which holds no values, and what its owner reads.
IDENTITY = {
    "username": ("change user name", "Its user name is {} from now on."),
    "email": ("change mail address", "Its mails go to another address from now on."),
}


def _may_give_rights(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


@admin.register(User)
class AccountAdmin(RefusesHeld, RecordsActs, UserAdmin):
    form = AccountForm
    list_display = ["username", "email", "is_active", "email_verified_at", "is_staff", "date_joined"]
    list_filter = ["is_active", "is_staff", ("email_verified_at", admin.EmptyFieldListFilter)]
    readonly_fields = ["email_verified_at", "deletion_warned_at", "last_login"]
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Verification", {"fields": ["email_verified_at", "deletion_warned_at"]}),
    )
    add_fieldsets = ((None, {"fields": ["username", "email", "is_active", "password1", "password2"]}),)
    recorded_fields = {"is_active": "change rights", **dict.fromkeys(RIGHTS, "change rights")}

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        return [*self.readonly_fields, *(() if _may_give_rights(request) else RIGHTS)]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_within_reach(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        # An account that an administrator activates counts as verified, as with create_superuser.
        # Otherwise, once deactivated again, it would look like an account that was never active.
        if obj.is_active and not obj.is_verified:
            obj.email_verified_at = Now()
        super().save_model(request, obj, form, change)
        obj.refresh_from_db(fields=["email_verified_at"])

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        changed = [name for name in IDENTITY if change and name in form.changed_data]
        for name in changed:
            self.record(request, IDENTITY[name][0], form.instance)
        if changed:
            told = [IDENTITY[name][1].format(form.instance.username) for name in changed]
            accounts.tell_of_changes(form.instance, told, email=form.initial["email"])

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        with transaction.atomic():
            before = User.objects.filter(pk=id).values_list("password", flat=True).first()
            answer = super().user_change_password(request, id, form_url)
            user = User.objects.filter(pk=id).exclude(password=before).first()
            if user:
                self.record(request, "change password", user)
                accounts.tell_of_new_password(user, request, is_own=request.user == user)
        return answer


def _is_within_reach(request: HttpRequest, account: User | None) -> bool:
    return account is None or _may_give_rights(request) or not _has_rights(account)


def _has_rights(account: User) -> bool:
    is_trusted = account.is_staff or account.is_superuser
    return is_trusted or account.groups.exists() or account.user_permissions.exists()


admin.site.unregister(Group)


@admin.register(Group)
class RightsAdmin(RecordsActs, GroupAdmin):
    """Groups. Only superusers decide which permissions a group grants, and to whom."""

    recorded_fields = {"permissions": "change rights"}

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> list[str]:
        return [] if _may_give_rights(request) else ["permissions"]

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_group_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_group_within_reach(request, obj)

    def lost_with(self, row: Group) -> dict[str, Any]:
        return {"permissions": sorted(map(str, row.permissions.all()))}

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        with transaction.atomic():
            for group in queryset:  # one act per group, naming the permissions that it granted
                self.delete_model(request, group)


def _is_group_within_reach(request: HttpRequest, group: Group | None) -> bool:
    if group is None or _may_give_rights(request):
        return True
    return not (group.permissions.exists() or group.user_set.exists())


class MessageInline(admin.TabularInline):
    model = ChatMessage
    extra = 0
    fields = ["role", "content", "created_at"]
    readonly_fields = ["role", "content", "created_at"]
    can_delete = False
    max_num = 0
    verbose_name_plural = "messages"


@admin.register(Conversation)
class ConversationAdmin(RefusesHeld, RecordsActs, admin.ModelAdmin):
    list_display = ["__str__", "user", "created_at", "last_message_at"]
    list_select_related = ["user"]
    list_filter = ["created_at"]
    search_fields = ["title", "user__username", "user__email"]
    raw_id_fields = ["user"]
    show_full_result_count = False
    inlines = [MessageInline]


# --- Records of sign-ins ----------------------------------------------------------------------


class ReadOnly(admin.ModelAdmin):
    """Evidence: nobody changes or deletes it here. Only the policies of housekeeping delete it."""

    actions: list[str] | None = None

    def has_add_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False


# The imports above have loaded the admin modules of these apps, which register the models.
admin.site.unregister([AccessAttempt, AccessLog, AccessFailureLog, BlacklistedToken])


FACTORS = {
    Authenticator.Type.TOTP: "Its authenticator app was removed.",
    Authenticator.Type.WEBAUTHN: "One of its passkeys was removed.",
    Authenticator.Type.RECOVERY_CODES: "Its recovery codes were removed.",
}

# The tables of addresses stay empty, and the list of sessions holds their keys.
admin.site.unregister([Authenticator, EmailAddress, UserSession])


@admin.register(Authenticator)
class SecondFactorAdmin(RecordsActs, ReadOnly):
    """Superusers remove the factor of somebody who has lost it. Nobody sees or sets its secret."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    list_filter = ["type"]
    search_fields = ["user__username"]
    fields = ["user", "type", "created_at", "last_used_at"]
    actions = ["delete_selected"]

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return _may_give_rights(request)

    def lost_with(self, row: Authenticator) -> dict[str, Any]:
        return {"account": row.user_id, "type": row.type}

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        with transaction.atomic():
            super().delete_model(request, obj)
            accounts.tell_of_changes(obj.user, [FACTORS[obj.type]], email=obj.user.email)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> None:
        with transaction.atomic():
            for factor in queryset:  # one act per factor, naming the account that it belonged to
                self.delete_model(request, factor)


@admin.register(AccessAttempt)
class FailureCountAdmin(ReadOnly, AccessAttemptAdmin):
    """To end a lock early, run ``manage.py axes_reset_username``."""


@admin.register(AccessLog)
class SignInAdmin(ReadOnly, AccessLogAdmin):
    pass


@admin.register(AccessFailureLog)
class FailedSignInAdmin(ReadOnly, AccessFailureLogAdmin):
    pass


@admin.register(BlacklistedToken)
class EndedTokenAdmin(ReadOnly, BlacklistedTokenAdmin):
    """Read-only, because a token that is removed from this list becomes valid again."""
