"""What the API says when it can't."""

import ast
import re
import uuid
from pathlib import Path

import jsonschema
import pytest
from rest_framework.exceptions import APIException
from rest_framework.test import APIClient
from rest_framework_simplejwt import authentication
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer

from housekeeping.api.rules import errors
from housekeeping.models import Run
from site_config import urls  # noqa: F401 - which imports all that can answer with a code
from site_config.description import WHOLE
from tests import make
from tests.api.addresses import RUNS, SCHEDULER, TRIGGER
from tests.conftest import with_token
from tests.processes import ROOT
from tests.visitors import account

pytestmark = pytest.mark.django_db


def send(api, body, kind="application/json", path=TRIGGER):
    return api.generic("POST", path, body, content_type=kind)


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda api: api.post(TRIGGER, {"task": "none"}), 400, "invalid"),
        (lambda api: send(api, b"{"), 400, "parse_error"),
        (lambda api: send(api, b"[" * 100_000), 400, "parse_error"),
        (lambda api: send(api, b'{"a":' * 100_000), 400, "parse_error"),
        (lambda api: send(api, b'{"task": ' + b"9" * 5_000 + b"}"), 400, "parse_error"),
        (lambda api: send(api, b'{"task": "all", "wait": 1e999}'), 400, "invalid"),
        (lambda api: send(api, b'{"task": "all", "wait": NaN}'), 400, "parse_error"),
        (lambda api: send(api, b'{"task": "\\u0000"}'), 400, "invalid"),
        (lambda api: send(api, b'{"task": "\\ud800"}'), 400, "invalid"),
        (lambda api: send(api, b'{"task": "all", "\\ud800": 1}'), 400, "invalid"),
        (lambda api: send(api, b'{"task": "all", "task": "stats"}'), 400, "parse_error"),
        (lambda api: send(api, b"\xff\xfe"), 400, "parse_error"),
        (lambda api: send(api, b"{}", "application/json; charset=bz2"), 400, "parse_error"),
        (lambda api: api.get(RUNS, {"cursor": "nonsense"}), 400, "invalid"),
        (lambda api: api.get(RUNS, {"cursor": "cD1ub3RhZGF0ZQ=="}), 400, "invalid"),
        (lambda api: api.get(f"{RUNS}/%00"), 404, "not_found"),
        (lambda api: APIClient().get(RUNS), 401, "not_authenticated"),
        (lambda api: with_token(account()).get(RUNS), 403, "permission_denied"),
        (lambda api: api.get(f"{RUNS}/{uuid.uuid4()}"), 404, "not_found"),
        (lambda api: api.get(f"{SCHEDULER}/schedules/none"), 404, "unknown_schedule"),
        (lambda api: api.get(f"{SCHEDULER}/policies/none"), 404, "unknown_policy"),
        (lambda api: api.delete(RUNS), 405, "method_not_allowed"),
        (lambda api: api.get(RUNS, headers={"Accept": "text/html"}), 406, "not_acceptable"),
        (lambda api: send(api, b"task=all", "text/plain"), 415, "unsupported_media_type"),
        (lambda api: send(api, b" " * 1_000_001), 413, "too_large"),
        (lambda api: api.get(RUNS, headers={"Host": "evil.example"}), 400, "bad_request"),
    ],
)  # fmt: skip
def test_every_problem_is_json_of_one_shape(ask, status, code, api):
    answer = ask(api)

    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert body["code"] == code
    jsonschema.validate(body, WHOLE.document() | {"$ref": "#/components/schemas/Problem"})
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"task": "stats", "dry_run": true, "dry_run": false}', "dry_run"),
        ('{"task": "stats", "wait": 0, "w\\u0061it": 0}', "wait"),
        ('{"task": {"a": 1, "b": 2, "a": 1}}', "a"),
        ('{"\\ud800": 1, "\\ud800": 2}', "\\ud800"),
    ],
)
def test_a_key_that_is_given_twice_is_refused_by_name(body, key, api):
    answer = send(api, body)

    assert answer.status_code == 400
    assert answer.json()["message"] == f'JSON parse error - "{key}" is given more than once'
    assert not Run.objects.exists()


def test_so_is_one_in_the_chat():
    answer = send(with_token(make.user()), '{"message": "a", "message": "b"}', path="/api/chat")

    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


def test_over_plain_http_a_problem_is_the_only_answer(api, settings):
    settings.SECURE_SSL_REDIRECT = True

    body = api.get(RUNS).json()

    assert list(body) == ["message", "code", "type", "title", "status", "detail"]
    assert (body["code"], body["detail"]) == ("https_required", body["message"])


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_the_api_s_page_refuses_other_methods_as_the_api_does(method, api):
    answer, other = getattr(api, method)("/api/docs"), api.delete(RUNS)

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer["Content-Type"] == other["Content-Type"]
    assert sorted(answer.json()) == sorted(other.json()) == [
        "code", "detail", "message", "status", "title", "type",
    ]  # fmt: skip
    assert answer.json()["detail"] == f'Method "{method.upper()}" not allowed.'


def test_the_docs_name_every_code_and_no_other():
    text = (ROOT / "docs/reference/api-problems.md").read_text()
    table = text.partition("These are the codes:")[2].partition("\n\nRequests that open a run")[0]
    told = {code for row in table.splitlines()[4:] for code in re.findall(r"`(\w+)`", row.split("|")[2])}

    assert told == {
        *map(errors.word_for, errors.CODES),
        *(kind.default_code for kind in subclasses(APIException)),
        *TokenObtainPairSerializer.default_error_messages,
        *(code for room in ("housekeeping", "chat", "site_config") for file in (ROOT / room).rglob("*.py")
          for code in codes_in(file)),
        *codes_in(Path(authentication.__file__)),
    }  # fmt: skip


def subclasses(kind):
    for one in kind.__subclasses__():
        yield from (one, *subclasses(one))


def codes_in(file):
    """The codes that stand in a source: of a problem's body, of an error, of a body written there."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            is_form_s = name == "ValidationError"  # it is a field's; the problem's code is "invalid"
            found = [one.value for one in node.keywords if one.arg == "code" and not is_form_s]
            found += node.args[1:2] if name in ("body", "answer") else []
        elif isinstance(node, ast.Dict):
            found = [value for key, value in zip(node.keys, node.values, strict=True) if is_code(key)]
        else:
            continue
        written = [one for one in found if isinstance(one, ast.Constant | ast.IfExp)]
        yield from (one.value for each in written for one in ast.walk(each) if isinstance(one, ast.Constant))


def is_code(key):
    return isinstance(key, ast.Constant) and key.value == "code"


def test_a_body_of_a_megabyte_is_read(api):
    assert send(api, b'{"task": "none"}'.ljust(1_000_000)).status_code == 400


def test_a_refused_field_stands_at_the_top_and_among_the_fields(api):
    body = api.post(TRIGGER, {"task": "none", "waits": 1}).json()

    assert list(body["fields"]) == ["waits"]
    assert body["waits"] == body["fields"]["waits"]
    assert body["message"] == f"waits: {body['waits'][0]}"


def test_a_problem_has_the_members_of_rfc_9457(api):
    body = api.get(f"{RUNS}/{uuid.uuid4()}").json()

    assert (body["type"], body["title"], body["status"]) == ("about:blank", "Not Found", 404)
    assert body["detail"] == body["message"]


def test_a_refused_field_called_status_or_title_keeps_its_place(api):
    filtered = api.get(RUNS, {"status": "lost"}).json()
    titled = with_token(make.user()).post("/api/chat/conversations", {"title": 7}).json()

    assert filtered["status"] == filtered["fields"]["status"]
    assert titled["title"] == titled["fields"]["title"]
    assert (filtered["title"], titled["status"]) == ("Bad Request", 400)


def test_a_field_called_message_does_not_take_the_message_s_place():
    body = with_token(make.user()).post("/api/chat", {"message": " "}).json()

    assert body["message"].startswith("message: ")
    assert list(body["fields"]) == ["message"]


def test_a_field_that_is_half_a_character_is_named_all_the_same(api):
    assert list(send(api, b'{"task": "all", "\\udfff": 1}').json()["fields"]) == ["\\udfff"]


def test_a_problem_of_a_table_is_json(api):
    answer = APIClient().get(f"{RUNS}/{uuid.uuid4()}/receipt.csv")

    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_who_stands_in_the_way_is_told(api):
    active = make.run("stats", status="running")

    body = api.post(TRIGGER, {"task": "stats"}).json()

    assert (body["code"], body["run"]["id"]) == ("run_in_progress", str(active.pk))
