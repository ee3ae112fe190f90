"""A project's REST_FRAMEWORK decides who is asking, and nothing else about the app's API."""

import json
import os
import subprocess
import sys

import pytest

from housekeeping.api.description.document import OWN
from site_config.description import WHOLE
from tests.processes import ROOT


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "DJANGO_SETTINGS_MODULE": "tests.api.host.settings",
        "ENV_FILE": os.devnull,
        "HUEY_URL": f"sqlite:///{folder}/huey.sqlite3",
        "SECRET_KEY": "x" * 60,
    }
    code = "import django; django.setup(); from tests.api.host import ask; ask.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def problem(answer):
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    return answer["status"], json.loads(answer["text"])["code"]


def test_the_project_says_who_is_asking_and_the_rights_decide(answers):
    assert problem(answers["nobody"]) == (403, "not_authenticated")
    assert answers["viewer"]["status"] == 200
    assert problem(answers["viewer who acts"]) == (403, "permission_denied")


def test_answers_are_compact_json_in_utf_8_whatever_the_project_renders(answers):
    assert answers["result"]["headers"]["Content-Type"] == "application/json"
    assert '"error":"Tinte fehlt: ü"' in answers["result"]["text"]
    assert problem(answers["other type"]) == (406, "not_acceptable")
    assert answers["options"]["status"] == 200


def test_bodies_are_strict_json_whatever_the_project_parses(answers):
    assert problem(answers["form"]) == (415, "unsupported_media_type")
    assert problem(answers["not a number"]) == (400, "parse_error")


def test_problems_have_their_shape_whatever_handles_the_project_s_errors(answers):
    assert problem(answers["missing"]) == (404, "unknown_policy")
    assert list(json.loads(answers["no object"]["text"])["fields"]) == ["non_field_errors"]


def test_lists_come_in_pages_of_ours(answers):
    page = json.loads(answers["viewer"]["text"])

    assert list(page) == ["next", "previous", "results"]
    assert [run["task"] for run in page["results"]] == ["messages", "users"]


def test_a_query_is_read_as_described(answers):
    assert len(json.loads(answers["after"]["text"])["results"]) == 2
    assert [run["task"] for run in json.loads(answers["of a task"]["text"])["results"]] == ["messages"]


def test_answers_say_who_may_keep_them_and_whether_they_changed_without_a_middleware_of_ours(answers):
    headers = answers["result"]["headers"]

    assert headers["Cache-Control"] == "private, no-cache"
    assert "Authorization" in headers["Vary"]
    assert (answers["unchanged"]["status"], answers["unchanged"]["text"]) == (304, "")
    assert answers["trigger"]["headers"]["Cache-Control"] == "no-store"


def test_a_run_is_carried_out_while_a_request_of_atomic_requests_waits_for_it(answers):
    body = json.loads(answers["trigger"]["text"])

    assert (answers["trigger"]["status"], body["run"]["status"]) == (200, "succeeded")
    assert answers["runs"] == 3


def test_how_often_runs_are_opened_is_limited_by_a_setting_of_the_app_alone(answers):
    assert problem(answers["fourth"]) == (400, "invalid")
    assert problem(answers["fifth"]) == (429, "throttled")


def test_the_app_describes_its_own_api_whatever_describes_the_project_s(answers):
    described = json.loads(answers["schema"]["text"])
    told = {path.replace("/housekeeping/api/", "/api/admin/scheduler/") for path in described["paths"]}

    assert (described["info"]["title"], described["openapi"]) == ("Housekeeping", "3.1.0")
    assert told == {path for path in WHOLE.document()["paths"] if path.startswith("/api/admin/")}
    assert described["components"]["schemas"] == OWN.document()["components"]["schemas"]


def test_the_page_of_the_api_needs_neither_the_dashboard_nor_htmx_beside_it(answers):
    assert answers["docs"]["status"] == 200
    assert 'href="/housekeeping/api/schema"' in answers["docs"]["text"]
    assert "htmx.min" not in answers["docs"]["text"]
