"""What the site answers when it can't."""

import json
import os
import subprocess
import sys

import pytest

from tests.processes import ROOT
from tests.services import free_port

ASK = """
import json, django; django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
def told(answer):
    return [answer.status_code, answer["Content-Type"].split(";")[0], answer.text]
print(json.dumps({
    "api": told(client.post("/api/token", {"username": "ada", "password": "x"}, "application/problem+json")),
    "page": told(client.post("/sign-in", {"username": "ada", "password": "x"})),
    "unknown": told(client.get("/nowhere", headers={"cookie": "sessionid=" + "a" * 32})),
    "forged": told(Client(enforce_csrf_checks=True, raise_request_exception=False).post(
        "/sign-in", headers={"cookie": "sessionid=" + "a" * 32})),
    "link": told(client.get("/password/new/MQ/secret")),
    "up": told(client.get("/healthz")),
}))
"""


@pytest.fixture(scope="module")
def told_without_a_database():
    """What a site says whose PostgreSQL refuses the connection."""
    environment = os.environ | {
        "DATABASE_URL": f"postgres://nobody@127.0.0.1:{free_port()}/nothing",
        "DJANGO_SETTINGS_MODULE": "site_config.settings",
    }
    process = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(process.stdout) | {"log": process.stderr}


def test_without_a_database_the_api_answers_503_as_json(told_without_a_database):
    status, kind, body = told_without_a_database["api"]

    assert (status, kind) == (503, "application/problem+json")
    assert json.loads(body) == {
        "message": "The database can't be reached. Please try again later.",
        "code": "database_unreachable",
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The database can't be reached. Please try again later.",
    }


def test_without_a_database_a_page_answers_503(told_without_a_database):
    status, kind, body = told_without_a_database["page"]

    assert (status, kind) == (503, "text/html")
    assert "be reached" in body


@pytest.mark.parametrize("page", ["unknown", "forged", "link"])
def test_without_a_database_an_error_page_is_503(told_without_a_database, page):
    assert told_without_a_database[page][:2] == [503, "text/html"]


def test_without_a_database_the_process_is_still_up(told_without_a_database):
    assert told_without_a_database["up"][0] == 200
    assert "Traceback" not in told_without_a_database["log"]
    assert "Service Unavailable: /password/new/…" in told_without_a_database["log"]


def test_an_unknown_address_below_api_is_404_as_json(client):
    answer = client.get("/api/nowhere")

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.django_db
def test_an_unknown_page_is_404_with_a_way_on(client):
    answer = client.get("/nowhere")

    assert answer.status_code == 404
    assert "/scheduler-admin" in answer.text


@pytest.mark.parametrize("address", ["/healthz/", "/healthz"])
def test_the_probes_accept_a_trailing_slash(client, address):
    assert client.get(address).status_code == 200
