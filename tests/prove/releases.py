"""Released versions of this site, taken out of the history and installed in environments of their own."""

import io
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ROOT, Installed

RELEASES = Path(__file__).with_name("releases.toml")


@dataclass(frozen=True)
class Release:
    version: str
    commit: str
    migrations: dict[str, str]  # by app: the last one of this version


def newest() -> Release:
    """The release that the present code is upgraded from."""
    releases = tomllib.loads(RELEASES.read_text())
    version = max(releases, key=lambda text: [int(part) for part in text.split(".")])
    return Release(version, **releases[version])


def install(release: Release, folder: Path) -> Installed:
    """Check the release out into ``folder`` and install its own requirements beside it."""
    code, environment = folder / "code", folder / "environment"
    with tarfile.open(fileobj=io.BytesIO(_archive(release))) as archive:
        archive.extractall(code, filter="data")
    uv = Path(sys.executable).with_name("uv")
    python = environment / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    requirements = ["--requirement", code / "requirements.txt"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
    return Installed(code, python)


def _archive(release: Release) -> bytes:
    """The release's files, as git packs them. Fails the test where its commit can't be had."""
    pack = ["git", "archive", release.commit]
    packed = subprocess.run(pack, cwd=ROOT, capture_output=True)
    if packed.returncode:  # a shallow clone
        subprocess.run(["git", "fetch", "--quiet", "origin", release.commit], cwd=ROOT, check=False)
        packed = subprocess.run(pack, cwd=ROOT, capture_output=True)
    if packed.returncode:
        pytest.fail(
            f"Version {release.version} ({release.commit}) is not in this clone's history, and its origin"
            f" does not give it.\n{packed.stderr.decode()}"
        )
    return packed.stdout
