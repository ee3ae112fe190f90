"""Holds in Django's admin: keep a row, until a date or for good, with a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from housekeeping import keeping
from housekeeping.acts import Actor
from housekeeping.models import Hold


class HoldForm(forms.ModelForm):
    model = forms.ChoiceField(choices=lambda: [(label, label) for label in keeping.holdable()])

    class Meta:
        model = Hold
        fields = ["model", "key", "until", "reason"]

    def clean_until(self) -> Any:
        until = self.cleaned_data["until"]
        if "until" in self.changed_data and until and until <= timezone.now():
            raise ValidationError(
                _("A hold ends in the future; leave the date out to keep the row for good.")
            )
        return until


@admin.register(Hold)
class HoldAdmin(admin.ModelAdmin):
    """Whatever is done here is done by ``keeping``, and so is on record as an act.

    The rights are those of the dashboard and the API, and not Django's own of the table.
    """

    form = HoldForm
    list_display = ["model", "key", "until", "reason", "made_by", "made_at"]
    list_filter = ["model", "until"]
    search_fields = ["key", "reason"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Hold | None = None) -> bool:
        return request.user.has_perm("housekeeping.view_run") or _may_configure(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may_configure(request)

    def has_change_permission(self, request: HttpRequest, obj: Hold | None = None) -> bool:
        return _may_configure(request)

    def has_delete_permission(self, request: HttpRequest, obj: Hold | None = None) -> bool:
        return _may_configure(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Hold | None = None) -> list[str]:
        return ["model", "key"] if obj else []  # another row is another hold

    def save_model(self, request: HttpRequest, obj: Hold, form: Any, change: bool) -> None:
        by = _actor(request)
        if change:
            keeping.change(obj, until=obj.until, reason=obj.reason, by=by)
        else:
            made = keeping.add(obj.model, obj.key, until=obj.until, reason=obj.reason, by=by)
            obj.pk, obj.made_by, obj.made_at = made.pk, made.made_by, made.made_at

    def delete_model(self, request: HttpRequest, obj: Hold) -> None:
        keeping.end(obj, by=_actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Hold]) -> None:
        for hold in queryset:
            keeping.end(hold, by=_actor(request))


def _may_configure(request: HttpRequest) -> bool:
    return request.user.has_perm("housekeeping.configure")


def _actor(request: HttpRequest) -> Actor:
    return Actor(request.user.get_username(), f"admin from {request.META.get('REMOTE_ADDR', 'unknown')}")
