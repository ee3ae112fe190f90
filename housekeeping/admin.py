"""Django's admin: the page of holds, and mixins for the site's own ModelAdmin classes."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from housekeeping import rights
from housekeeping.database.transactions import writing
from housekeeping.engine import locks
from housekeeping.engine.holds import active_on, in_words, wait_for_new_holds
from housekeeping.exceptions import BadHold, NotPossible
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Hold
from housekeeping.steering import holds

Answer = TypeVar("Answer")

MOST_KEYS = 1_000  # that the act of deleting several rows stores


class LocksFromAbove(admin.ModelAdmin):
    """Locks rows in the order of a purge before it deletes them: each row before the rows below it.

    Otherwise the two could deadlock, and the database would end one of them. Rows that an inline deletes
    are locked, too.
    """

    def lock(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Lock the rows that are about to be deleted, in the transaction that deletes them."""
        locks.take_from_above(rows)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with writing():
            self.lock(request, QuerySet(type(obj)).filter(pk=obj.pk))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with writing():
            self.lock(request, queryset)
            super().delete_queryset(request, queryset)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            if rows := _deleted_by(formset):
                self.lock(request, QuerySet(formset.model).filter(pk__in=[row.pk for row in rows]))
        super().save_related(request, form, formsets, change)


def _deleted_by(formset: Any) -> list[Model]:
    """The rows that an inline is about to delete.

    Asked of the forms, and not in ``save_formset``, which the project may replace.
    """
    chosen = [form.instance for form in formset.deleted_forms]
    return [row for row in chosen if not row._state.adding]


class OnHold(Exception):
    """A row that was about to be deleted is on hold. The text is for the person who asked."""


class TellsRefusals(admin.ModelAdmin):
    """Shows a refusal that is raised while rows are saved or deleted as a message. Nothing is done then."""

    refusals: ClassVar[tuple[type[Exception], ...]] = (OnHold,)

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        return self._done(request, partial(super().changeform_view, request, *args, **options))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self._done(request, partial(super().delete_view, request, object_id, extra_context))

    def response_action(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse | None:
        # Django logs the deletions first: if they are refused, its log must not tell of them.
        return self._done(request, partial(super().response_action, request, *args, **options))

    def _done(self, request: HttpRequest, act: Callable[[], Answer]) -> Answer | HttpResponse:
        """The answer of ``act``, which is one transaction if it may write."""
        try:
            with writing() if request.method == "POST" else nullcontext():
                return act()
        except self.refusals as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self.page_after(request, error))

    def page_after(self, request: HttpRequest, error: Exception) -> str:
        """The address of the page that shows the message."""
        return request.get_full_path()


class RefusesHeld(TellsRefusals, LocksFromAbove):
    """Refuses to delete a row if a hold is on it, on a row below it or on a row above it.

    The page that asks whether to delete names the holds instead. Accounts that may see holds read the
    reasons, too.
    """

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        found, counts, lacking, protected = super().get_deleted_objects(objs, request)
        is_action = isinstance(objs, QuerySet)  # otherwise a list with the one row of a page
        rows: QuerySet[Any] = objs if is_action else QuerySet(self.model).filter(pk=objs[0].pk)
        return found, counts, lacking, [*protected, *_held(request, rows)]

    def lock(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        wait_for_new_holds()
        super().lock(request, rows)
        if held := _held(request, rows):  # a hold was made after the page was shown
            raise OnHold(" ".join(held))


def _held(request: HttpRequest, rows: QuerySet[Any]) -> list[str]:
    """A sentence for each hold on ``rows``, or above or below them."""
    found = active_on(rows)
    if _may_see_holds(request):
        return [in_words(hold) for hold in found]
    return [_("%(row)s is on hold") % {"row": str(hold)} for hold in found]


class _Key:
    """Stands in for a row in Django's log of the admin, which stores ``str(row)``: shows only its key."""

    def __init__(self, row: Model) -> None:
        self._meta, self.pk = row._meta, row.pk

    def __str__(self) -> str:
        return f"{self._meta.label} {self.pk}"


class _ByKey:
    """Stands in for a saved formset in Django's log of the admin: shows only the keys of its rows."""

    def __init__(self, formset: Any) -> None:
        self.forms, self.deleted_objects = formset.forms, formset.deleted_keys
        self.new_objects = [_Key(row) for row in formset.new_objects]
        self.changed_objects = [(_Key(row), fields) for row, fields in formset.changed_objects]


class RecordsActs(admin.ModelAdmin):
    """Records who deletes rows in the admin, and who changes one of ``recorded_fields``.

    An act names rows by their keys, and so does Django's own log of the admin here: the text of a row must
    not outlive the row.
    """

    recorded_fields: ClassVar[dict[str, str]] = {}  # by the name of a field: the act that changes it

    def record(self, request: HttpRequest, what: str, row: Model | _Key, **details: Any) -> None:
        acts.record(actor(request), what, f"{row._meta.label} {row.pk}"[:100], **details)

    def lost_with(self, row: Any) -> dict[str, Any]:
        """Details that the act of deleting this row stores in addition to its key."""
        return {}

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            # Taken now: Django empties the key of a row that it deletes.
            formset.deleted_keys = [_Key(row) for row in _deleted_by(formset)]
            for key in formset.deleted_keys:
                self.record(request, "delete", key)
        super().save_related(request, form, formsets, change)
        changed = [name for name in form.changed_data if name in self.recorded_fields]
        for what in dict.fromkeys(self.recorded_fields[name] for name in changed):
            names = [name for name in changed if self.recorded_fields[name] == what]
            before = {name: _plain(form.initial.get(name)) for name in names}
            after = {name: _plain(form.cleaned_data[name]) for name in names}
            self.record(request, what, form.instance, before=before, after=after)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        by_key = [_ByKey(formset) for formset in formsets or []]
        return super().construct_change_message(request, form, cast(Any, by_key), add)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return super().log_addition(request, cast(Any, _Key(obj)), message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return super().log_change(request, cast(Any, _Key(obj)), message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        return super().log_deletions(request, cast(Any, [_Key(row) for row in queryset]))

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with writing():
            self.record(request, "delete", obj, **self.lost_with(obj))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with writing():
            keys = [str(key) for key in queryset.values_list("pk", flat=True)]
            facts = {"rows": len(keys), "keys": keys[:MOST_KEYS]}
            acts.record(actor(request), "delete", queryset.model._meta.label, **facts)
            super().delete_queryset(request, queryset)


def _plain(value: Any) -> Any:
    """The value of a field for JSON. A related row becomes its key, several become a list of their names."""
    if isinstance(value, Model):
        return _plain(value.pk)
    if isinstance(value, QuerySet | list | tuple):
        return sorted(map(str, value))
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


class HoldForm(forms.ModelForm):
    model = forms.ChoiceField(choices=lambda: [(label, label) for label in holds.holdable()])

    class Meta:
        model = Hold
        fields = ["model", "key", "until", "reason"]

    def clean_until(self) -> Any:
        until = self.cleaned_data["until"]
        if "until" in self.changed_data:
            try:
                holds.check_until(until)
            except BadHold as error:
                raise ValidationError(str(error)) from None
        return until


@admin.register(Hold)
class HoldAdmin(TellsRefusals, admin.ModelAdmin):
    """Makes, changes and ends holds through ``steering.holds``, which records acts.

    The rights are those of the dashboard and the API, instead of Django's permissions for the table.
    """

    refusals = (BadHold, NotPossible)
    form = HoldForm
    list_display = ["model", "key", "until", "reason", "made_by", "made_at"]
    list_filter = ["model", "until"]
    search_fields = ["key", "reason"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Hold | None = None) -> bool:
        return _may_see_holds(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may_configure(request)

    def has_change_permission(self, request: HttpRequest, obj: Hold | None = None) -> bool:
        return _may_configure(request)

    def has_delete_permission(self, request: HttpRequest, obj: Hold | None = None) -> bool:
        return _may_configure(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Hold | None = None) -> list[str]:
        return ["model", "key"] if obj else []  # a hold on another row is a new hold

    def save_model(self, request: HttpRequest, obj: Hold, form: Any, change: bool) -> None:
        by = actor(request)
        if change:
            # The other fields are as the form has read them; somebody may have changed them since.
            changed = {name: getattr(obj, name) for name in ("until", "reason") if name in form.changed_data}
            holds.change(obj, **changed, by=by)
        else:
            made = holds.add(obj.model, obj.key, until=obj.until, reason=obj.reason, by=by)
            obj.pk, obj.made_by, obj.made_at = made.pk, made.made_by, made.made_at

    def delete_model(self, request: HttpRequest, obj: Hold) -> None:
        holds.end(obj, by=actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Hold]) -> None:
        for hold in queryset:
            try:
                holds.end(hold, by=actor(request))
            except NotPossible:
                text = _("No hold was ended: the one on %(row)s has already ended.")
                raise NotPossible(text % {"row": hold}) from None

    def page_after(self, request: HttpRequest, error: Exception) -> str:
        """The list if the hold has ended: it no longer has a page."""
        if isinstance(error, BadHold):
            return super().page_after(request, error)
        return reverse("admin:housekeeping_hold_changelist", current_app=self.admin_site.name)


def _may_see_holds(request: HttpRequest) -> bool:
    return request.user.has_perm(rights.VIEW) or _may_configure(request)


def _may_configure(request: HttpRequest) -> bool:
    return request.user.has_perm(rights.CONFIGURE)


def actor(request: HttpRequest) -> Actor:
    return acts.visitor(request, "admin")
