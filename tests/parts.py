"""What the site is made of: the packages that it needs to run, and files of others, with their licences.

``python -m tests.parts licences`` writes LICENSES.md. ``python -m tests.parts sbom`` writes the same for
programs, in build/sbom.cdx.json (CycloneDX 1.6).
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import django_htmx
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

import housekeeping

ROOT = Path(__file__).parent.parent
LICENCES = ROOT / "LICENSES.md"
SBOM = ROOT / "build/sbom.cdx.json"
APP = "django-housekeeping"
# From their licence files: their metadata is inexact, or they are installed on other systems alone.
READ_BY_HAND = {
    "async-timeout": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "cronsim": "BSD-3-Clause",
    "django-csp": "BSD-3-Clause",
    "django-guid": "MIT",
    "fido2": "BSD-2-Clause AND Apache-2.0 AND MPL-2.0",  # its list of public suffixes is MPL-2.0
    "huey": "MIT",
    "qrcode": "BSD-3-Clause",
    "sqlparse": "BSD-3-Clause",
    "uritemplate": "BSD-3-Clause OR Apache-2.0",
}
# Folders of files of others, each with a README that lists them.
VENDORED = ("housekeeping/static/housekeeping/vendor", "tests/browser/vendor")
HEAD = f"""# Licences of others

What the site needs to run, and files of others in this repository. The app by itself ({APP})
needs some of these (`pyproject.toml`). What only tests and linters use is in `requirements-dev.txt`.
`make licences` writes this table.

| part | licence | where |
| --- | --- | --- |
"""


@dataclass(frozen=True)
class Part:
    """``needed_by``: the packages that need it; none: the site itself does."""

    name: str
    version: str
    licence: str
    where: str
    kind: str = "pypi"
    needed_by: tuple[str, ...] = field(default=())


def parts() -> list[Part]:
    return [*packages(), *_brought(), *vendored()]


def packages() -> list[Part]:
    """Those in requirements.txt."""
    text = (ROOT / "requirements.txt").read_text()
    found = []
    for block in re.split(r"\n(?=\w)", text):
        name, version = re.match(r"([\w.-]+)==([^\s;]+)", block).groups()
        via = tuple(
            one for one in re.findall(r"# +(?:via )?(?:-r )?([\w.-]+)$", block, re.MULTILINE) if one != "via"
        )
        found.append(Part(name, version, licence_of(name), "package", needed_by=via))
    return found


def licence_of(package: str) -> str:
    """From its metadata: an SPDX expression where it has one. Raises SystemExit if it names none."""
    if package in READ_BY_HAND:
        return READ_BY_HAND[package]
    facts = metadata.metadata(package)
    classified = [
        one for one in facts.get_all("Classifier") or [] if one.startswith("License :: OSI Approved ::")
    ]
    named = [one.rpartition(" :: ")[2].removesuffix(" License") for one in classified]
    found = facts.get("License-Expression") or facts.get("License") or " OR ".join(named)
    if not found or "\n" in found:
        raise SystemExit(f"{package} names no licence: read its files, and add it to READ_BY_HAND.")
    return str(found)


def _brought() -> list[Part]:
    """What browsers get from packages."""
    tag = (ROOT / "housekeeping/templates/housekeeping/_htmx.html").read_text()
    [major] = re.findall(r"htmx_script version=(\d)", tag)
    script = Path(django_htmx.__file__).parent / f"static/django_htmx/htmx-{major}.min.js"
    version = re.search(r'version(?::|=)"([\w.-]+)"', script.read_text())[1]
    return [
        Part("htmx", version, "0BSD", "package django-htmx", "npm", ("django-htmx",)),
        *(
            Part(name, "", "MIT", "package django, for Django's admin", "npm", ("django",))
            for name in ("jquery", "select2", "xregexp")
        ),
    ]


def vendored() -> Iterator[Part]:
    """From the tables of the READMEs beside the files."""
    for folder in VENDORED:
        for line in (ROOT / folder / "README.md").read_text().splitlines():
            if row := re.match(r"\| (`.*?`) \| \[(.+?)\].* \| ([\w.-]+) \| ([\w.-]+), in `(.+)` \|$", line):
                files, name, version, licence, _ = row.groups()
                where = ", ".join(f"`{folder}/{one}`" for one in re.findall(r"`(.*?)`", files))
                yield Part(name, version, licence, where, kind="npm")


def table() -> str:
    """LICENSES.md. It has no versions, so that an update of packages leaves it as it is."""
    return HEAD + "".join(f"| {part.name} | {part.licence} | {part.where} |\n" for part in parts())


def sbom() -> str:
    """As CycloneDX, with what needs what. Raises SystemExit if it breaks CycloneDX's own schema."""
    licences = LicenseFactory()
    bom = Bom()
    bom.metadata.component = Component(
        name=APP, version=housekeeping.__version__, type=ComponentType.APPLICATION
    )
    made = {}
    for part in parts():
        version = part.version or None
        name = part.name.lower()
        made[part.name] = Component(
            name=part.name,
            version=version,
            type=ComponentType.LIBRARY,
            scope=ComponentScope.EXCLUDED if part.where.startswith("`tests/") else ComponentScope.REQUIRED,
            bom_ref=f"{part.kind}:{name}",
            purl=PackageURL(part.kind, None, name, version),
            licenses=[licences.make_from_string(part.licence)],
        )
        bom.components.add(made[part.name])
    needed = {name: [part for part in parts() if name in part.needed_by] for name in made}
    for name, component in made.items():
        bom.register_dependency(component, [made[part.name] for part in needed[name]])
    direct = [
        made[part.name] for part in parts() if "requirements.in" in part.needed_by or not part.needed_by
    ]
    bom.register_dependency(bom.metadata.component, direct)
    written = str(JsonV1Dot6(bom).output_as_string(indent=2))
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(written):
        raise SystemExit(f"The list of parts breaks the schema: {str(problem)[:500]}")
    return written


if __name__ == "__main__":
    target, write = {"licences": (LICENCES, table), "sbom": (SBOM, sbom)}[sys.argv[1]]
    target.parent.mkdir(exist_ok=True)
    target.write_text(write())
    print(f"{len(parts())} parts: {target.relative_to(ROOT)}")
