"""Reads a catalogue of translations without the gettext tools, and the texts that it should contain."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation.template import templatize

Message = tuple[str, str]  # context, text
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%n|<[^>]+>")
_CALL = re.compile(r"""\b(n|p)?gettext\((.*?)\) |\b_\((.*?)\) """, re.DOTALL)
_TEXT = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)


class Entry:
    def __init__(self, block: str) -> None:
        self.is_fuzzy = bool(re.search("^#, .*fuzzy", block, re.M))
        self.context, self.text = _field(block, "msgctxt"), _field(block, "msgid")
        self.plural = _field(block, "msgid_plural")
        names = ("msgstr[0]", "msgstr[1]") if self.plural else ("msgstr",)
        self.translations = [_field(block, name) for name in names]


def entries(file: Path) -> list[Entry]:
    """All messages of a .po file except its header."""
    blocks = re.split(r"\n{2,}", file.read_text().strip())
    return [Entry(block) for block in blocks[1:]]


def _field(block: str, name: str) -> str:
    found = re.search(rf'^{re.escape(name)} ((?:"(?:[^"\\]|\\.)*"\n?)+)', block, re.M)
    return "".join(ast.literal_eval(line) for line in found[1].splitlines()) if found else ""


def of_python(file: Path) -> Iterator[Message]:
    """The texts that a Python file marks for translation."""
    for node in ast.walk(ast.parse(file.read_text())):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if not re.fullmatch(r"_|[np]?gettext(_lazy|_noop)?", name):
            continue
        context, first = node.args[:2] if name.startswith("p") else (None, node.args[0])  # type: ignore[attr-defined]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield context.value if context else "", first.value


def of_template(file: Path) -> Iterator[Message]:
    """The texts that a template marks for translation, as makemessages finds them."""
    for call in _CALL.finditer(templatize(file.read_text(), origin=str(file))):
        texts = [ast.literal_eval(text) for text in _TEXT.findall(call[2] or call[3] or "")]
        if texts:
            yield (texts[0], texts[1]) if call[1] == "p" else ("", texts[0])
