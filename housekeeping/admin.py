"""Holds in Django's admin: keep a row, until a date or for good, with a reason."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from housekeeping.models import Hold


@admin.register(Hold)
class HoldAdmin(admin.ModelAdmin):
    list_display = ["model", "key", "until", "reason", "made_by", "made_at"]
    list_filter = ["model", "until"]
    search_fields = ["key", "reason"]
    fields = ["model", "key", "until", "reason"]

    def save_model(self, request: HttpRequest, obj: Hold, form: Any, change: bool) -> None:
        obj.made_by = obj.made_by or request.user.get_username()
        super().save_model(request, obj, form, change)
