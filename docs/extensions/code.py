"""Settings, environment variables, checks and metrics, read from the code that has them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from extensions.tables import code, table
from housekeeping import checks as checks_package
from housekeeping import conf

ROOT = Path(__file__).parents[2]


def settings(argument: str, content: list[str]) -> list[str]:
    """Every setting of the app: its default, its meaning and the values that it takes."""
    rows = [
        (code(f"HOUSEKEEPING_{name}"), code(repr(one.default)), str(one.meaning), one.wanted)
        for name, one in conf.SETTINGS.items()
    ]
    return table(("setting", "default", "meaning", "write"), rows)


def environment(argument: str, content: list[str]) -> list[str]:
    """Every variable that the settings of this site read. The content has their meanings, by name.

    The meaning of a variable that sets a setting of the app is that of the setting. Raises ValueError for
    a variable without a meaning, and for a meaning without a variable.
    """
    read = dict(_variables())
    meanings = {f"HOUSEKEEPING_{name}": str(one.meaning) for name, one in conf.SETTINGS.items()}
    meanings = {name: meaning for name, meaning in meanings.items() if name in read}
    meanings |= dict(_described(content))
    if wrong := sorted(meanings.keys() ^ read.keys()):
        raise ValueError(f"These variables have a meaning and are not read, or the other way round: {wrong}")
    rows = [(code(name), code(read[name]), meanings[name]) for name in meanings]
    return table(("variable", "default", "meaning"), rows)


def _described(content: list[str]) -> Iterator[tuple[str, str]]:
    for line in content:
        if line.strip():
            name, _, meaning = line.partition(": ")
            yield name, meaning


def _variables() -> Iterator[tuple[str, str]]:
    """The variables that settings.py asks ``env`` for, each with its default."""
    for call in ast.walk(ast.parse((ROOT / "site_config/settings.py").read_text())):
        if isinstance(call, ast.Call) and _is_question(call):
            name, *rest = [one.value if isinstance(one, ast.Constant) else "" for one in call.args]
            key = str(name).removeprefix("HOUSEKEEPING_")
            default = conf.SETTINGS[key].default if _asks_for_setting(call) else [*rest, ""][0]
            yield str(name), str(default).lower() if isinstance(default, bool) else str(default)


def _is_question(call: ast.Call) -> bool:
    is_env = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "env"
    return is_env and bool(call.args) and isinstance(call.args[0], ast.Constant) and bool(_name(call))


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) and call.func.attr in KINDS else ""


def _asks_for_setting(call: ast.Call) -> bool:
    return _name(call) == "setting"


# The functions of env.py whose first argument is the name of a variable, and the second its default.
KINDS = {
    "boolean", "choice", "database", "days", "email", "integer", "secret_key", "setting", "site", "text",
    "time_zone", "url", "words",
}  # fmt: skip


def checks(argument: str, content: list[str]) -> list[str]:
    """Every message of ``manage.py check``, with its hint. ``…`` stands for what differs."""
    found = {}
    for file in sorted(Path(checks_package.__file__).parent.glob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and "id" in (
                named := {one.arg: one.value for one in call.keywords}
            ):
                identity = ast.literal_eval(named["id"])
                found[identity] = _text(call.args[0]), _text(named.get("hint"))
    rows = [(code(identity), *found[identity]) for identity in sorted(found)]
    return table(("id", "message", "hint"), rows)


def _text(node: ast.expr | None) -> str:
    """A text in the code, with ``…`` for each value that is computed; empty for none."""
    if node is None:
        return ""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in parts)


def metrics(argument: str, content: list[str]) -> list[str]:
    """Every metric, as a scrape of an empty database gives it."""
    from housekeeping.monitoring.metrics import registry

    rows = [_metric(family) for family in registry().collect()]
    return table(("metric", "type", "labels", "meaning"), rows)


def _metric(family: Any) -> tuple[str, ...]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return code(name), family.type, ", ".join(map(code, family._labelnames)), family.documentation
