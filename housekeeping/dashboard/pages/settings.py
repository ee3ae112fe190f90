"""The page of the settings in force."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from housekeeping.reading import in_force
from housekeeping.reading.in_force import InForce


@dataclass(frozen=True)
class Row:
    """A setting, with its value and its source in words."""

    setting: InForce

    @property
    def value(self) -> Any:
        """A number, a text, or a list; None if there is nothing to show."""
        if self.setting.is_secret:
            return _("set") if self.setting.is_set else _("not set")
        return None if self.setting.value in ("", [], None) else self.setting.value

    @property
    def is_list(self) -> bool:
        return isinstance(self.setting.value, list)

    @property
    def source(self) -> str:
        return {
            in_force.DEFAULT: _("default"),
            in_force.SETTINGS: _("settings.py"),
            in_force.ENVIRONMENT: _("environment"),
            in_force.DECLARED: _("declared"),
            in_force.CHANGED: _("changed"),
            in_force.ACCOUNTS: _("accounts"),
        }[self.setting.source]


@dataclass(frozen=True)
class Group:
    name: str
    title: str
    rows: list[Row]


def read() -> list[Group]:
    rows = [Row(one) for one in in_force.read()]
    titles = {
        in_force.RETENTION: _("Retentions"),
        in_force.APP: _("The app"),
        in_force.PROJECT: _("The project around it"),
    }
    return [
        Group(name, titles[name], [row for row in rows if row.setting.group == name])
        for name in in_force.GROUPS
    ]
