from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.utils import timezone

from chat.models import ChatMessage, Conversation, User


@admin.register(User)
class AccountAdmin(UserAdmin):
    list_display = ["username", "email", "is_active", "email_verified_at", "is_staff", "date_joined"]
    list_filter = ["is_active", "is_staff", ("email_verified_at", admin.EmptyFieldListFilter)]
    readonly_fields = ["email_verified_at", "deletion_warned_at", "last_login"]
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Verification", {"fields": ["email_verified_at", "deletion_warned_at"]}),
    )
    add_fieldsets = ((None, {"fields": ["username", "email", "is_active", "password1", "password2"]}),)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        # Whom an administrator lets in is known: verified, as create_superuser has it. Else the
        # account, deactivated again, could not be told from one that was never let in.
        if obj.is_active and not obj.is_verified:
            obj.email_verified_at = timezone.now()
        super().save_model(request, obj, form, change)


class MessageInline(admin.TabularInline):
    model = ChatMessage
    extra = 0
    fields = ["role", "content", "created_at"]
    readonly_fields = ["role", "content", "created_at"]
    can_delete = False
    max_num = 0
    verbose_name_plural = "messages"


@admin.register(Conversation)
class ConversationAdmin(admin.ModelAdmin):
    list_display = ["__str__", "user", "created_at", "last_message_at"]
    list_select_related = ["user"]
    list_filter = ["created_at"]
    search_fields = ["title", "user__username", "user__email"]
    raw_id_fields = ["user"]
    show_full_result_count = False
    inlines = [MessageInline]
