"""Every link and picture of the built pages leads to a file, and to a place in it. Needs no network."""

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.targets.append(value)


def check(app: Sphinx, error: Exception | None) -> None:
    """Warn of each link that leads nowhere: under -W, the build fails."""
    if error is None and app.builder.format == "html":
        for problem in broken(Path(app.outdir)):
            logger.warning(problem)


def broken(folder: Path) -> Iterator[str]:
    read = cache(lambda path: _Page(path.read_text()))
    for path in sorted(folder.rglob("*.html")):
        for target in read(path).targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not file.exists():
                yield f"{path.name}: nothing is at {target}"
            elif (
                parts.fragment and file.suffix == ".html" and unquote(parts.fragment) not in read(file).places
            ):
                yield f"{path.name}: {target} has no such place"
