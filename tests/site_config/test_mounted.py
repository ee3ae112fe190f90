"""The site below a path of another one: FORCE_SCRIPT_NAME, or a server's SCRIPT_NAME."""

import pytest
from django.urls import reverse, set_script_prefix

from tests import make
from tests.visitors import as_user, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mounted(settings):
    settings.FORCE_SCRIPT_NAME = "/intranet"
    set_script_prefix("/intranet/")
    yield
    set_script_prefix("/")


def test_the_api_answers_in_json_and_in_english(client):
    answer = client.get("/api/no/such/address", headers={"Accept-Language": "de"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["message"] == "There is nothing at this address."
    assert answer["Cache-Control"] == "private, no-cache"


def test_pages_are_in_the_language_of_the_browser():
    page = as_user(make.administrator()).get("/scheduler-admin", headers={"Accept-Language": "de"})

    assert "Verlauf" in text(page)
    assert f'href="{reverse("housekeeping:runs")}"' in page.text


@pytest.mark.parametrize(
    ("act", "page"), [("runs/act", "runs"), ("holds/add", "holds"), ("tasks/stats/trigger", "tasks/stats")]
)
def test_who_was_signed_out_is_led_back_to_the_page_of_the_act(act, page, client):
    answer = client.post(f"/scheduler-admin/{act}")

    assert answer["Location"].endswith(f"?next=/intranet/scheduler-admin/{page}")
