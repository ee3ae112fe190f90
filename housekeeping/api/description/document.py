"""The description as an OpenAPI document: of the app's API, or of a project's whole API."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.urls import URLPattern, URLResolver, include, path, reverse
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import SPECTACULAR_DEFAULTS, patched_settings

from housekeeping.reading.as_json.fields import Facts

Patterns = Sequence[URLPattern | URLResolver]

# drf-spectacular's settings are global to the process, and its generator is not thread-safe.
_making = Lock()


@dataclass(frozen=True, eq=False)
class Description:
    """A document to be generated, once per process.

    ``address``: the URL name of the view that returns it. ``patterns``: a function that makes the URL
    patterns to describe, from the path that they are below; None: all patterns of the project.
    ``settings``: drf-spectacular's; None: the project's own. ``written``: the document as text, by address
    and kind: writing it takes up to 100 ms, and anybody may ask for it.
    """

    address: str
    patterns: Callable[[str], Patterns] | None = None
    settings: Facts | None = None
    made: dict[str, Facts] = field(default_factory=dict)
    written: dict[tuple[str, str], Any] = field(default_factory=dict)

    def text(self, kind: str, write: Callable[[Facts], Any]) -> Any:
        """What ``write`` makes of the document, made once for each ``kind``."""
        key = reverse(self.address), kind
        if key not in self.written:
            self.written[key] = write(self.document())
        return self.written[key]

    def document(self) -> Facts:
        folder = reverse(self.address).rpartition("/")[0]
        with _making:
            if folder not in self.made:
                self.made[folder] = self._make(folder)
            return self.made[folder]

    def _make(self, folder: str) -> Facts:
        patterns = self.patterns(f"{folder}/") if self.patterns else None
        with translation.override("en"), patched_settings(self.settings):
            generator = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
            made: Facts = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        return made


def _own_patterns(folder: str) -> Patterns:
    return [path(folder.removeprefix("/"), include("housekeeping.api.urls"))]


# All settings of drf-spectacular that affect a document, so that the project's do not change ours.
_SETTINGS: dict[str, Any] = {
    name: value
    for name, value in SPECTACULAR_DEFAULTS.items()
    if not name.startswith("SERVE_") and name != "DEFAULT_GENERATOR_CLASS"
} | {
    "TITLE": "Housekeeping",
    "DESCRIPTION": "Controls and monitors the housekeeping of a project's database.",
    "VERSION": "1",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["housekeeping.api.description.schema.tidy"],
}
OWN = Description("housekeeping_api:schema", _own_patterns, _SETTINGS)
