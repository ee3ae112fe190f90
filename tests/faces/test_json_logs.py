"""The log as JSON: each line an object, with the ids of the run and of the request that it belongs to."""

import json
import urllib.error
import urllib.request
import uuid

import pytest

from chat.models import Conversation
from housekeeping.models import Run
from tests import make
from tests.processes import Processes
from tests.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def processes(transactional_db, tmp_path):
    running = Processes(tmp_path, LOG_FORMAT="json")
    yield running
    running.end()


def lines(process):
    """What the process has logged. A line that is no JSON object fails the test."""
    # What runserver prints at its start is no log.
    logged = process.output.rpartition("howto/deployment/\n")[2]
    whole = logged[: logged.rfind("\n") + 1]  # a process may be about to end its line
    found = [json.loads(line) for line in whole.splitlines()]
    assert all({"time", "level", "logger", "message", "process"} <= line.keys() for line in found)
    return found


def test_each_line_of_a_run_has_its_id_and_no_other_line_has(processes):
    make.conversation(age=make.days(40))
    consumer = processes.consumer()
    run = make.run("conversations", requested_by="ada")

    wait_until(Run.objects.filter(status="succeeded").exists)
    consumer.says("succeeded")

    of_run = [line for line in lines(consumer) if "run_id" in line]
    assert {(line["run_id"], line["task"]) for line in of_run} == {(str(run.pk), "conversations")}
    assert any("deleted 1" in line["message"] for line in of_run)
    assert "Huey consumer started" in str([line for line in lines(consumer) if "run_id" not in line])
    assert not Conversation.objects.exists()


def test_a_traceback_is_a_part_of_its_line(processes):
    consumer = processes.consumer()
    run = make.run("no such task")

    wait_until(Run.objects.filter(status="failed").exists)
    consumer.says("failed")

    [line] = [line for line in lines(consumer) if "traceback" in line and "run_id" in line]
    assert line["run_id"] == str(run.pk)
    assert line["traceback"].startswith("Traceback (most recent call last):\n")


def ask(address, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=10)
    except urllib.error.HTTPError as refused:
        return refused


def test_each_line_of_a_request_has_the_id_that_its_answer_names(processes):
    site, address = processes.site("--noreload", HOUSEKEEPING_AUTOSTART="false")
    known = str(uuid.uuid4())

    answers = [ask(f"{address}/nothing", **{"X-Request-ID": sent}) for sent in (known, "not\tone of ours")]

    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert ids[0] == known
    assert uuid.UUID(ids[1])
    missing = [line for line in lines(site) if line["logger"] == "django.request"]
    assert [line["request_id"] for line in missing] == ids
    assert [line["message"] for line in missing] == ["Not Found: /nothing"] * 2
