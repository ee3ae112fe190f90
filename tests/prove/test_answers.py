"""The API against its own description: what schemathesis can think of, as four kinds of client.

EXAMPLES and SEEDS make it think longer: with EXAMPLES=3000 SEEDS=1,2, each client sends 3,000 random
requests, and does so twice. Those that follow from the description alone, such as each limit, come on top.
"""

import copy
import math
import os
from dataclasses import dataclass, field

import pytest
import schemathesis
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connections
from rest_framework_simplejwt.tokens import RefreshToken
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from chat import accounts
from housekeeping.models import Act, Erasure, Hold, LogLine, Run, Snapshot, Tally
from housekeeping.reading.tables import measuring
from housekeeping.runs.work import execution
from site_config.description import WHOLE
from tests import make
from tests.make import days
from tests.visitors import account

ROLES = {
    "superuser": make.administrator,
    "operator": lambda: account("view_run", "operate"),
    "viewer": lambda: account("view_run"),
    "nobody": None,
}
CHECKS = {
    "allow_header_conformance",
    "content_type_conformance",
    "ensure_resource_availability",
    "ignored_auth",
    "missing_required_header",
    "negative_data_rejection",
    "not_a_server_error",
    "object_level_authorization",
    "positive_data_acceptance",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
    "use_after_free",
}
OPERATIONS = {
    operation["operationId"] for path in WHOLE.document()["paths"].values() for operation in path.values()
}
EXAMPLES = max(3, math.ceil(int(os.environ.get("EXAMPLES", 0)) / len(OPERATIONS)))  # of each operation
SEEDS = [int(seed) for seed in os.environ.get("SEEDS", "1").split(",")]
SIGNED = {"refresh_token", "blacklist_token", "verify"}  # nobody makes up a token of ours
# Where a request can be well-formed and wrong all the same, 400 is the right answer to it:
SENSELESS = {
    "trigger": "no schema says which runs are plans",
    "chat": "nor which conversations are one's own",
    "register": "nor which passwords are too common, and which names are taken",
    "verify": "nor which tokens we have signed",
    "list_runs": "nor which cursors we have made",
    "list_acts": "nor which cursors we have made",
    "list_holds": "nor which cursors we have made",
    "list_alerts": "nor which cursors we have made",
    "list_erasures": "nor which cursors we have made",
    "create_erasure": "nor which accounts there are, and what they are called",
    "list_incidents": "nor which cursors we have made",
    "create_channel": "nor which hosts are listed, which names are taken, and which tasks there are",
    "change_channel": "nor which hosts are listed, and which tasks there are",
    "create_hold": "nor which rows there are, nor which days have passed",
    "change_hold": "nor which days have passed",
    "get_table": "nor which columns a table has",
    "set_acknowledgement": "nor which days have passed",
    "change_undo_holds": "nor which days have passed",
    "get_fire_times": "no pattern says which cron expressions ever fire",
    "change_schedule": "no pattern says which cron expressions ever fire",
    "change_schedules": "nor which ETags we have given",
    "change_task": "nor which ETags we have given",
    "delete_hold": "nor which ETags we have given",
    "delete_channel": "nor which ETags we have given",
    "change_policy": "nor which fields exclude each other, nor that some policies have no retention",
}


# The contract: a run that fails within the wait is answered as 500, with the run.
CARRY_OUT = ["trigger", "retry_run", "approve_run", "undo_run", "run_schedule"]


@schemathesis.check
def only_a_run_fails(ctx, response, case):
    """500 is never the site's own failure."""
    assert response.status_code != 500 or response.json()["code"] == "run_failed"


def config(url, headers, values, seed):
    """``values``: by a part of an address, what is there to be named in it, most of the time."""
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "workers": 1,
            "continue-on-failure": True,
            "base-url": url,
            "request-timeout": 60,  # seconds; a request may wait 30 for the end of a run
            "headers": headers,
            "checks": {"enabled": True},
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": "SEEDS" not in os.environ,
                "database": "none",
                "allow-x00": False,  # test_problems.py sends it: no schema can say that it is refused
            },
            "suppress-health-check": ["all"],
            "dictionaries": {part: {"values": those} for part, (_, those) in values.items()},
            "operations": [
                *(
                    {
                        "include-path-regex": part,
                        "parameters": {parameter: {"dictionary": part, "probability": 0.8}},
                    }
                    for part, (parameter, _) in values.items()
                ),
                expecting("positive_data_acceptance", [*SENSELESS], ["2xx", "4xx", "500"]),
                expecting("not_a_server_error", CARRY_OUT, ["2xx", "4xx", "500"]),
            ],
        }
    )


def expecting(check, operations, statuses):
    return {"include-operation-id": operations, "checks": {check: {"expected-statuses": statuses}}}


def strict(schema):
    """The description, where no answer may hold a field that is not described."""
    schema = copy.deepcopy(schema)
    for name, shape in schema["components"]["schemas"].items():
        if name != "Problem" and not name.endswith("Request") and "properties" in shape:
            shape.setdefault("additionalProperties", False)
    return schema


@dataclass
class Report:
    wrong: dict[str, str] = field(
        default_factory=dict
    )  # what the checks found, and the request that shows it
    checks: set[str] = field(default_factory=set)
    succeeded: set[str] = field(default_factory=set)  # operations
    requests: int = 0


def try_all(schema):
    report = Report()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            error = event.exception if isinstance(event, events.FatalError) else event.value
            report.wrong[f"{getattr(event, 'label', '')}: {error!r}"] = ""
        if isinstance(event, events.ScenarioFinished):
            read(event.recorder, report)
    return report


def read(recorder, report):
    report.requests += len(recorder.interactions)
    for case, nodes in recorder.checks.items():
        report.checks |= {node.name for node in nodes}
        for told in (node.failure_info for node in nodes if node.failure_info):
            report.wrong[f"{told.failure.title}, {told.failure.operation}: {told.failure.message}"] = (
                told.code_sample
            )
        tried, response = recorder.cases[case].value, recorder.interactions[case].response
        if response and response.status_code < 300 and tried.method == tried.operation.method.upper():
            report.succeeded.add(tried.operation.definition.raw["operationId"])


@pytest.fixture
def everything(transactional_db, settings):
    """Something for each address to show or to act on. Most runs are of a task that is gone."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # many sign-ins
    make.user(username="admin", password="correct horse")  # as in the example
    moment = make.ago(hours=1)
    facts = {"requested_at": moment, "attempts": 1}
    former = [make.run("former", status=status, **facts) for status in Run.Status.values]
    make.channel("pager", kind="mail", address="ada@example.com")
    held = [run for run in former if run.status == "held"]
    make.run("verification", status="failed", **facts)
    failed = [make.run("stats", status="failed", **facts) for _ in range(3)]
    purges = [purged() for _ in range(3)]
    done = purges[0]
    make.consumer()
    make.conversation(pk=4711)  # as in the example
    undos = [make.run("conversations", status="succeeded", undo_of=done, **facts) for _ in range(6)]
    facts = {"model": "chat.Conversation", "key": "4711", "reason": "A dispute"}
    Hold.objects.bulk_create(Hold(undo=undo, **facts) for undo in undos for _ in range(3))
    holds = [Hold.objects.create(**facts) for _ in range(6)]
    erasures = [Erasure.objects.create(pseudonym=f"erased-{n}", requested_at=moment) for n in range(3)]
    LogLine.objects.create(run=done, logged_at=moment, level="INFO", text="Hello")
    Act.objects.create(done_at=moment, who="ada", what="trigger", target=str(done.pk), origin="a test")
    Tally.objects.create(day=moment.date(), task="all", status="failed")
    measuring.measure(moment)
    numbers = ("total_users", "total_conversations", "total_messages")
    recent = ("recent_conversations_24h", "recent_messages_24h")
    Snapshot.objects.create(taken_at=moment, numbers=dict.fromkeys(numbers + recent, 1))
    return {
        "/approve$": ("path.id", ids(held)),
        "/retry$": ("path.id", ids(failed)),
        "/undo$": ("path.id", ids(purges)),
        r"/(runs|results)/\{id\}(/(cancel|log|receipt.*))?$": ("path.id", ids([*former, done])),
        r"/runs/\{id\}/holds$": ("path.id", ids(undos)),
        r"/holds/\{id\}$": ("path.id", [hold.pk for hold in holds]),
        r"/erasures/\{id\}$": ("path.id", ids(erasures)),
        r"/schedules/\{": ("path.name", ["weekly_cleanup", "statistics_generation"]),
        r"/policies/\{": ("path.name", ["conversations", "users"]),
        r"/tables/\{name\}": ("path.name", ["chat_user", "chat_chatmessage"]),
        r"/tasks/\{name\}$": ("path.name", ["stats", "users"]),
        r"/tasks/\{name\}/": ("path.name", ["verification"]),
        r"/channels/\{name\}": ("path.name", ["pager", "operators"]),
        r"/(schedules|tasks|policies|holds|channels)(/\{\w+\})?$": ("header.If-Match", ["*"]),
        "/fire-times": ("query.trigger", ["0 2 * * *", "06:00:00"]),
    }


def purged():
    make.conversation(age=days(40), messages=2)
    run = make.run("conversations")
    return execution.execute(execution.claim(run.pk, 0))


def ids(rows):
    return [str(row.pk) for row in rows]


@pytest.fixture
def quick_server(live_server, monkeypatch):
    """A live site that doesn't wait 40 ms for a client to acknowledge the headers of an answer."""
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    # A client that keeps its connection keeps a thread, which would keep the test's database.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    return live_server


@pytest.mark.timeout(3600)  # a minute in all without EXAMPLES, where nothing else is running
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_as_described(role, seed, everything, worker, quick_server):
    headers, user = {}, make.user()
    if ROLES[role]:
        user = ROLES[role]()
        headers["Authorization"] = f"Bearer {RefreshToken.for_user(user).access_token}"
    conversations = [make.conversation(user=user, messages=2).pk for _ in range(3)]
    values = everything | {"/conversations/": ("path.id", conversations)}
    asked = config(quick_server.url, headers, values, seed)

    report = try_all(schemathesis.openapi.from_dict(strict(WHOLE.document()), config=asked))

    print(f"{role}, seed {seed}: {report.requests} requests to {len(OPERATIONS)} operations")
    assert not report.wrong, "\n\n".join(f"{what}\n{how}" for what, how in report.wrong.items())
    if role == "superuser":
        assert report.checks >= CHECKS
        assert OPERATIONS - report.succeeded <= SIGNED


def test_what_takes_a_token_of_ours_answers_as_described(quick_server):
    url = {"base-url": quick_server.url}
    described = schemathesis.openapi.from_dict(
        strict(WHOLE.document()), config=SchemathesisConfig.from_dict(url)
    )
    tokens = [str(RefreshToken.for_user(make.user())) for _ in range(2)]
    bodies = {
        "/api/token/refresh": {"refresh": tokens[0]},
        "/api/token/blacklist": {"refresh": tokens[1]},
        "/api/verify": {"token": accounts.verification_token(make.visitor()), "password": "none"},
    }

    for path, body in bodies.items():
        case = described[path]["POST"].Case(body=body, media_type="application/json")

        assert case.call_and_validate().status_code == 200
