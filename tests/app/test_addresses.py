"""A project may mount the pages, the API, both or neither: addresses are left out, and nothing fails."""

import json
from io import StringIO

import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import include, path, reverse

from housekeeping import addresses
from housekeeping.journal import outbox
from housekeeping.journal.alerting import alerts
from housekeeping.models import Delivery
from tests import make

pytestmark = pytest.mark.django_db

urlpatterns: list = []


class OnlyPages:
    urlpatterns = [path("ops/tidy/", include("housekeeping.urls"))]


class OtherNames:
    urlpatterns = [
        path("ops/api/", include("housekeeping.api.urls", namespace="ops-api")),
        path("ops/", include("housekeeping.urls", namespace="ops")),
    ]


@pytest.fixture
def nothing_mounted(settings):
    settings.ROOT_URLCONF = __name__


def test_json_has_no_address_where_there_is_no_api(nothing_mounted):
    run = make.run("stats", status="failed", finished_at=make.ago(hours=1))
    out = StringIO()

    call_command("housekeeping_runs", "show", str(run.pk), "--json", stdout=out)

    assert json.loads(out.getvalue())["url"] is None


@pytest.mark.parametrize("command", ["housekeeping_policies", "housekeeping_schedules", "housekeeping_holds"])
def test_commands_do_without_pages_and_api(nothing_mounted, command):
    call_command(command, "list", "--json", stdout=StringIO())


def test_an_alert_names_the_run_where_it_has_no_page(nothing_mounted):
    make.administrator(email="ops@example.com")
    run = make.run("stats", status="held", error="Too many rows.")

    alerts.held(run)

    assert f"Run {run.pk}" in Delivery.objects.get().payload["text"]
    outbox.settle()
    assert len(mail.outbox) <= 1


def test_a_mail_leads_to_wherever_the_pages_are(settings):
    settings.ROOT_URLCONF = OnlyPages
    settings.HOUSEKEEPING_SITE_URL = "https://example.com"

    assert addresses.page_in_mail("runs") == "https://example.com/ops/tidy/runs"
    assert addresses.api("run-list") is None


@pytest.mark.parametrize("site", ["https://example.com", "https://example.com/"])
def test_an_address_in_a_mail_has_one_slash_after_the_host(settings, site):
    settings.HOUSEKEEPING_SITE_URL = site

    assert addresses.page_in_mail("runs").startswith("https://example.com/scheduler-admin/")


def test_a_project_may_give_pages_and_api_other_namespaces(settings):
    settings.ROOT_URLCONF = OtherNames
    settings.HOUSEKEEPING_SITE_URL = "https://example.com"

    assert addresses.page_in_mail("runs") == "https://example.com/ops/runs"
    assert addresses.api("run-list") == "/ops/api/runs"
    assert reverse("housekeeping:runs", current_app="ops") == "/ops/runs"  # as a template asks
