"""The filters in the address of a list: read, checked, and shown above the list."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from housekeeping.dashboard import act_lines, wording
from housekeeping.declared import registry
from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.models import Run
from housekeeping.reading.search import FIRST_YEAR, LAST_YEAR

PLACES = ("older", "newer", "oldest")
LOCAL = "%Y-%m-%dT%H:%M"
HAS_OFFSET = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$")


def iso_minutes(moment: datetime) -> str:
    """``2026-11-25T02:00+01:00``, in the zone of the reader."""
    return timezone.localtime(moment).isoformat(timespec="minutes")


@dataclass(frozen=True)
class Active:
    """A filter that is set, and the address of the list without it."""

    label: str
    value: str
    without: str


class OneOf(forms.CharField):
    """One of some words. The error for any other word names it and the choices."""

    def __init__(self, label: Any, choices: Iterable[tuple[str, Any]]) -> None:
        super().__init__(label=label, required=False)
        self.choices = list(choices)

    def clean(self, value: Any) -> str:
        word: str = super().clean(value)
        known = [key for key, _ in self.choices]
        if word and word not in known:
            self.refuse(word, known)
        return word

    def refuse(self, word: str, known: list[str]) -> None:
        raise forms.ValidationError(
            gettext("“%(word)s” is not valid; choose one of %(known)s.")
            % {"word": word, "known": ", ".join(known)}
        )


class Known(OneOf):
    """A task or schedule that is declared, or that some run belongs to although it was dropped."""

    def __init__(self, label: Any, column: str, choices: Iterable[tuple[str, Any]]) -> None:
        super().__init__(label, choices)
        self.column = column

    def refuse(self, word: str, known: list[str]) -> None:
        if not Run.objects.filter(**{self.column: word}).exists():
            super().refuse(word, known)


class Moment(forms.DateTimeField):
    def __init__(self, label: Any) -> None:
        wrong = gettext_lazy("Enter a time such as 2026-11-25T02:00.")
        super().__init__(label=label, required=False, error_messages={"invalid": wrong})

    def to_python(self, value: Any) -> datetime | None:
        try:
            moment = super().to_python(value)
            is_usable = moment is None or FIRST_YEAR <= moment.astimezone(UTC).year <= LAST_YEAR
        except (OverflowError, ValueError):
            is_usable = False
        if not is_usable:
            raise forms.ValidationError(self.error_messages["invalid"])
        return moment


class Filters(forms.Form):
    """The filters of one list: in ``cleaned_data`` if they are valid, else with their ``errors``."""

    after = Moment(gettext_lazy("From"))
    before = Moment(gettext_lazy("To"))

    def __init__(self, query: QueryDict) -> None:
        super().__init__({name: str(query[name]).strip() for name in query})
        self.query = query

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        unknown = [name for name in self.query if name not in self.fields and name not in PLACES]
        if unknown:
            text = gettext("There is no filter “%(name)s”; choose one of %(known)s.")
            known = ", ".join(self.fields)
            raise forms.ValidationError([text % {"name": name, "known": known} for name in unknown])
        after, before = asked.get("after"), asked.get("before")
        if after and before and after >= before:
            self.add_error("after", gettext("“From” must be before “To”."))
        return asked

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong, each with the label of its field; empty for the form as a whole."""
        return [
            (str(self.fields[name].label) if name in self.fields else "", str(error))
            for name, errors in self.errors.items()
            for error in errors
        ]

    @property
    def address(self) -> str:
        """The query of this list without empty filters and without a place: ``?task=users``."""
        return self._address()

    def _address(self, *, without: str = "") -> str:
        query = QueryDict(mutable=True)
        for name in self.fields:
            if self.data.get(name) and name != without:
                query[name] = self._for_everybody(name)
        return f"?{query.urlencode()}" if query else ""

    def _for_everybody(self, name: str) -> str:
        """The value for an address: a moment with its offset, so that it is the same one in another zone."""
        value: str = self.data.get(name, "")
        moment = None if name in self.errors else self.cleaned_data.get(name)
        return value if not isinstance(moment, datetime) or HAS_OFFSET.search(value) else iso_minutes(moment)

    def is_tidy(self) -> bool:
        """Without JavaScript, the form sends its empty filters too, and moments without their offset."""
        if not all(self.query.values()) or self.errors:
            return all(self.query.values())
        return all(self._for_everybody(name) == self.data.get(name, "") for name in ("after", "before"))

    @property
    def active(self) -> list[Active]:
        return [
            Active(str(field.label), self._in_words(name), self._address(without=name))
            for name, field in self.fields.items()
            if self.data.get(name)
        ]

    def _in_words(self, name: str) -> str:
        value = self.data[name]
        if isinstance(moment := self.cleaned_data.get(name), datetime):
            return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
        return str(dict(getattr(self.fields[name], "choices", ())).get(value, value))

    @property
    def shown(self) -> dict[str, str]:
        """The values for the form's fields: moments in the format of ``datetime-local``."""
        facts = {name: self.data.get(name, "") for name in self.fields}
        for name in ("after", "before"):
            moment = self.cleaned_data.get(name)
            facts[name] = f"{timezone.localtime(moment):{LOCAL}}" if moment else ""
        return facts

    def choices(self, name: str) -> list[tuple[str, Any]]:
        """The choices of a field, and its present value if that is no longer declared."""
        offered = list(self.fields[name].choices)  # type: ignore[attr-defined]
        value = self.data.get(name, "")
        return offered if not value or value in dict(offered) else [*offered, (value, value)]


class RunFilters(Filters):
    MORE = ("cause", "dry_run", "who", "after", "before")  # behind "More filters", unless one is set

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query)
        statuses = [(one.value, STATUSES[one]) for one in Run.Status]
        causes = [(one.value, CAUSES[one]) for one in Run.Cause]
        self.fields = {
            "text": forms.CharField(label=gettext("Text"), required=False, max_length=200),
            "task": Known(
                gettext("Task"),
                "task",
                ((name, wording.declared(task.title)) for name, task in TASKS.items()),
            ),
            "status": OneOf(gettext("Status"), statuses),
            "cause": OneOf(gettext("Cause"), causes),
            "schedule": Known(
                gettext("Schedule"),
                "schedule",
                ((key, wording.declared(one.name)) for key, one in SCHEDULES.items()),
            ),
            "who": forms.CharField(label=gettext("Who"), required=False, max_length=254),
            "dry_run": OneOf(gettext("Dry runs"), (("true", gettext("only")), ("false", gettext("without")))),
            **self.fields,
        }

    def with_status(self, status: str) -> str:
        """The query of this list for another status; empty: for all."""
        query = QueryDict(self._address(without="status").removeprefix("?"), mutable=True)
        if status:
            query["status"] = status
        return f"?{query.urlencode()}" if query else ""

    @property
    def is_by_status_alone(self) -> bool:
        return not any(self.data.get(name) for name in self.fields if name != "status")

    @property
    def has_more(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)

    def clean(self) -> dict[str, Any]:
        asked = super().clean()
        if "dry_run" in asked:
            asked["dry_run"] = {"true": True, "false": False}.get(asked["dry_run"])
        return asked


class ActFilters(Filters):
    def __init__(self, query: QueryDict) -> None:
        super().__init__(query)
        targets = sorted({*SCHEDULES, *registry.policies(), *TASKS})
        self.fields = {
            "who": forms.CharField(label=gettext("Who"), required=False, max_length=254),
            "what": OneOf(gettext("What"), act_lines.WORDS.items()),
            "target": forms.CharField(label=gettext("To what"), required=False, max_length=100),
            **self.fields,
        }
        self.targets = targets


STATUSES = {
    Run.Status.QUEUED: gettext_lazy("queued"),
    Run.Status.RUNNING: gettext_lazy("running"),
    Run.Status.HELD: gettext_lazy("held"),
    Run.Status.SUCCEEDED: gettext_lazy("succeeded"),
    Run.Status.FAILED: gettext_lazy("failed"),
    Run.Status.CANCELLED: gettext_lazy("cancelled"),
    Run.Status.MISSED: gettext_lazy("missed"),
}
CAUSES = {
    Run.Cause.SCHEDULE: gettext_lazy("schedule"),
    Run.Cause.CATCH_UP: gettext_lazy("catch-up"),
    Run.Cause.MANUAL: gettext_lazy("manual"),
    Run.Cause.RETRY: gettext_lazy("retry"),
}
