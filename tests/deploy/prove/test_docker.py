"""deploy/docker/: what hadolint says of the Dockerfile, and compose of its file. No image is built."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.processes import ROOT
from tests.services import need

HERE = ROOT / "deploy/docker"
DOCKERFILE = (HERE / "Dockerfile").read_text()
SECRETS = dict.fromkeys(("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD"), "0123456789abcdef")
OURS = ("site", "consumer", "migrations")


def instructions(name):
    """The arguments of each instruction of this name in the Dockerfile."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def copied():
    """The files and folders of the repository that are copied into an image."""
    return [word for one in instructions("COPY") if "--from" not in one for word in shlex.split(one)[:-1]]


@pytest.fixture
def hadolint():
    folder = Path(sys.executable).parent
    program = need("hadolint", shutil.which("hadolint", path=str(folder)) or shutil.which("hadolint"))
    return lambda text: subprocess.run([program, "-"], input=text, capture_output=True, text=True).stdout


def test_hadolint_finds_nothing_wrong_with_the_dockerfile(hadolint):
    assert hadolint(DOCKERFILE) == ""


def test_hadolint_would_find_a_mistake(hadolint):
    assert "DL3002" in hadolint(DOCKERFILE.replace("USER 10001:10001", "USER root"))


def test_the_image_is_built_in_stages_and_runs_as_nobody_special():
    build, image = instructions("FROM")

    assert (build.split()[1:], len(image.split())) == (["AS", "build"], 1)
    assert build.split()[0] == image
    assert instructions("USER") == ["10001:10001"]
    assert len(instructions("HEALTHCHECK")) == 1


def test_what_is_copied_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert {f"!{one}" for one in copied()} <= set(ignored)
    assert "*" in ignored
    assert [one for one in copied() if not (ROOT / one).exists()] == []


@pytest.fixture
def compose(tmp_path):
    """Calls compose's ``config`` with env.example and these variables."""
    docker = shutil.which("docker")
    plugin = docker and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0
    words = [docker, "compose"] if plugin else [need("docker-compose", shutil.which("docker-compose"))]
    command = [*words, "--file", HERE / "compose.yaml", "--env-file", HERE / "env.example", "config"]
    return lambda **variables: subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)} | variables,
        capture_output=True,
        text=True,
    )


def test_compose_takes_its_file(compose):
    read = compose(**SECRETS)

    assert read.returncode == 0, read.stderr
    services = yaml.safe_load(read.stdout)["services"]
    assert set(services) == {*OURS, "database", "queue"}
    for name in OURS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert services[name]["environment"]["HUEY_URL"] == "redis://:0123456789abcdef@queue:6379/0"
    # The image has the site's.
    assert {name for name, one in services.items() if "healthcheck" not in one} == {"site"}
    assert not {"ports", "network_mode"} & {*services["database"], *services["queue"]}
    assert "127.0.0.1" in str(services["site"]["ports"])


@pytest.mark.parametrize("secret", SECRETS)
def test_compose_refuses_to_start_without_a_secret(compose, secret):
    refused = compose(**{name: value for name, value in SECRETS.items() if name != secret})

    assert refused.returncode != 0
    assert "set it in .env" in refused.stderr


def test_each_variable_is_one_of_the_site():
    described = (ROOT / "docs/reference/environment.md").read_text()
    variables = yaml.safe_load((HERE / "compose.yaml").read_text())["x-app"]["environment"]

    assert len(variables) >= 8
    assert [name for name in variables if f"\n{name}: " not in described] == []
