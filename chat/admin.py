from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from chat.models import ChatMessage, Conversation, User


@admin.register(User)
class AccountAdmin(UserAdmin):
    list_display = ["username", "email", "is_active", "email_verified_at", "is_staff", "date_joined"]
    list_filter = ["is_active", "is_staff", ("email_verified_at", admin.EmptyFieldListFilter)]
    readonly_fields = ["email_verified_at", "last_login"]
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Verification", {"fields": ["email_verified_at"]}),
    )
    add_fieldsets = ((None, {"fields": ["username", "email", "is_active", "password1", "password2"]}),)


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
