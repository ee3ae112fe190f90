"""Errors that go to Sentry, and traces that go to an OpenTelemetry collector: what a receiver really gets."""

import gzip
import json
import subprocess

import pytest
from django.db import IntegrityError, connection
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sentry_sdk.utils import event_from_exception

from chat.models import Conversation
from housekeeping.models import Run
from site_config import telemetry
from tests import make
from tests.processes import ROOT, Processes
from tests.receivers import receiver
from tests.services import wait_until
from tests.site_config import site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def outside():
    with receiver() as server:
        yield server


@pytest.fixture
def processes(transactional_db, tmp_path, outside):
    watched = {
        "SENTRY_DSN": f"http://key@{outside.host}/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": outside.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",  # milliseconds
        "OTEL_SERVICE_NAME": "a site of a test",
    }
    running = Processes(tmp_path, **watched)
    yield running
    running.end()


def unpacked(request):
    is_packed = request.headers["Content-Encoding"] == "gzip"
    return gzip.decompress(request.body) if is_packed else request.body


def events(outside):
    """The events that Sentry received."""
    found = []
    for request in outside.received:
        if not request.path.endswith("/envelope/"):
            continue
        lines = [json.loads(line) for line in unpacked(request).splitlines() if line.startswith(b"{")]
        found += [line for line in lines if "event_id" in line and "level" in line]
    return found


def messages(event):
    return [error["value"] for error in event["exception"]["values"]]


def spans(outside):
    found = []
    for request in outside.received:
        if request.path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(unpacked(request)).resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
    return found


def facts(span):
    return {
        one.key.removeprefix("housekeeping."): one.value.string_value or one.value.int_value
        for one in span.attributes
    }


def test_the_error_of_a_run_is_reported_once_with_its_run(processes, outside):
    processes.consumer()
    run = make.run("no such task", requested_by="olga")

    wait_until(Run.objects.filter(status="failed").exists)
    wait_until(lambda: events(outside), what="the event")
    wait_until(lambda: spans(outside), what="the span")

    [event] = events(outside)
    assert (event["tags"]["run_id"], event["tags"]["task"]) == (str(run.pk), "no such task")
    assert event["exception"]["values"][-1]["type"] == "UnknownTask"
    [span] = [span for span in spans(outside) if span.name == "run no such task"]
    assert (facts(span)["run_id"], facts(span)["status"], span.status.code) == (str(run.pk), "failed", 2)
    assert "olga" not in json.dumps(event) + str(span)


def test_a_run_that_succeeds_is_a_span_and_no_event(processes, outside):
    make.conversation(age=make.days(40))
    processes.consumer()
    run = make.run("conversations")

    wait_until(lambda: [span for span in spans(outside) if span.name == "run conversations"], what="the span")

    run.refresh_from_db()
    [span] = [span for span in spans(outside) if span.name == "run conversations"]
    assert (facts(span)["status"], facts(span)["rows_deleted"]) == ("succeeded", 1)
    took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000_000
    assert took == pytest.approx(run.duration.total_seconds(), abs=0.001)
    assert events(outside) == []
    assert not Conversation.objects.exists()


def test_each_request_is_a_span_without_its_address(processes, outside):
    _, address = processes.site("--noreload", HOUSEKEEPING_AUTOSTART="false")

    subprocess.run(["curl", "-s", f"{address}/verify/secret-token?next=secret"], check=True)

    wait_until(lambda: [span for span in spans(outside) if "verify" in span.name], what="the span")
    [span] = [span for span in spans(outside) if "verify" in span.name]
    assert facts(span)["http.route"] == "verify/<str:token>"
    assert "secret" not in str(span)
    assert "127.0.0.1" not in str([value for name, value in facts(span).items() if "peer" in name])


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's errors quote no values")
def test_the_values_that_a_database_quotes_are_left_out():
    make.user(username="ada lovelace")
    with pytest.raises(IntegrityError) as caught:
        make.user(username="ada lovelace")
    event, hint = event_from_exception((type(caught.value), caught.value, caught.tb))
    assert "ada lovelace" in str(messages(event))

    sent = telemetry._without_values(event, hint)

    assert "ada lovelace" not in str(messages(sent))
    assert "chat_user_username_key" in str(messages(sent))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SENTRY_DSN", "https://key@sentry.example.com/1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ],
)
def test_without_the_package_the_start_says_what_to_install(tmp_path, variable, value):
    hide = "import sys; sys.modules.update({'sentry_sdk': None, 'opentelemetry': None}); import django\n"
    start = (
        "import runpy; sys.argv = ['manage.py', 'check']; runpy.run_path('manage.py', run_name='__main__')"
    )

    process = site.python(ROOT, "-c", hide + start, **{variable: value})

    assert process.returncode == 1
    [line] = process.stderr.splitlines()
    assert line.startswith(f"{variable}={value} needs a package that is not installed")
