"""The settings in force: each with its value, where it comes from, and what it means."""

from typing import Any

from django.core.management.base import CommandParser

from housekeeping.management.base import JSON, OperatorCommand, plain
from housekeeping.reading import as_json, in_force
from housekeeping.reading.in_force import InForce


class Command(OperatorCommand):
    help = "Lists the settings in force: each with its value, where it comes from, and what it means."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help=JSON)

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        found = in_force.read()
        if json:
            self.print_json([as_json.Setting.of(one) for one in found])
            return
        for one in found:
            self.stdout.write(f"{one.name} = {_value(one)} ({_source(one)})")
            self.stdout.write(f"    {one.meaning}")
            if one.problem:
                self.stdout.write(self.style.ERROR(f"    {one.problem}"))


def _value(one: InForce) -> str:
    if one.is_secret:
        return "set" if one.is_set else "not set"
    if isinstance(one.value, list):
        return ", ".join(map(str, one.value)) or "none"
    if one.value is None:
        return "none"
    return str(one.value) if one.value != "" else "empty"


def _source(one: InForce) -> str:
    if one.changed_at:
        declared = f"; declared: {one.default}" if one.default is not None else ""
        return f"changed by {one.changed_by or 'the site'}, {plain(one.changed_at)}{declared}"
    variable = f" {one.variable}" if one.variable and one.source == in_force.ENVIRONMENT else ""
    return f"{one.source}{variable}"
