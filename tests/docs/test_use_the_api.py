"""The recipes of docs/howto/use-the-api.md, run as they stand: curl as one script, Python as another."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from chat.models import Conversation
from housekeeping.models import Act, Run
from tests import make, services
from tests.test_project import ROOT


def recipes(language):
    """The blocks of one language, in their order, as one program."""
    return "\n".join(
        re.findall(
            rf"^```{language}\n(.*?)^```", (ROOT / "docs/howto/use-the-api.md").read_text(), re.M | re.S
        )
    )


@pytest.fixture
def follow(live_server, worker):
    """Run a program against a live site, as an administrator. Returns what it printed."""
    make.administrator(username="ada", password="correct horse")
    make.conversation(age=make.days(31), messages=2)
    make.message()
    make.run("stats", status="failed", error="Out of ink")
    settings = {"SITE": live_server.url, "NAME": "ada", "PASSWORD": "correct horse"}

    def run(*words):
        done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, timeout=120)
        failed = list(Run.objects.filter(status="failed").values_list("task", "error", "traceback"))
        assert done.returncode == 0, f"{failed}\n{done.stderr}\n{done.stdout}"
        return done.stdout

    return run


def test_the_recipes_in_python_work(follow):
    printed = follow(sys.executable, "-c", recipes("python"))

    assert "would go: {'cleaned_messages': 1}" in printed
    assert "Out of ink" in printed
    assert "ada trigger" in printed
    assert Run.objects.filter(cause="retry", task="stats").count() == 1


def test_the_recipes_with_curl_work(follow):
    services.need("curl", shutil.which("curl"))

    printed = follow("sh", "-euc", recipes("sh"))

    assert '"deleted_conversations":1' in printed
    assert "}304\n" in printed
    assert not Conversation.objects.exists()
    assert {"pause", "resume"} <= set(Act.objects.values_list("what", flat=True))


def test_what_a_recipe_deletes_it_can_put_back(follow):
    services.need("curl", shutil.which("curl"))
    follow("sh", "-euc", recipes("sh"))

    printed = follow(sys.executable, "-c", recipes("python"))

    assert "rows restored" in printed
    assert Conversation.objects.count() == 1
