"""Pausing and changing schedules, from the API, the dashboard and the command line."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from housekeeping.declared.registry import SCHEDULES
from housekeeping.models import Act, Run
from housekeeping.runs import schedules
from tests import make
from tests.conftest import with_token
from tests.visitors import account, confirm

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler/schedules"
PAGE = "/scheduler-admin/schedules/daily_housekeeping"


def trigger_of(schedule="daily_housekeeping"):
    return str(schedules.find(schedule).trigger)


# --- API --------------------------------------------------------------------------------------


def test_the_api_lists_every_schedule_with_its_next_fire_times(api):
    first, *others = api.get(API).json()["results"]

    assert (first["id"], first["task"], first["trigger"]) == (
        "daily_housekeeping",
        "all",
        "cron[hour='2', minute='0']",
    )
    assert (first["paused"], first["changed"], first["expression"]) == (False, False, "0 2 * * *")
    assert len(first["next_fire_times"]) == 5
    assert first["next_fire_times"][0] == first["next_run_time"]
    assert [one["id"] for one in others if one["upkeep"]] == [
        "history_cleanup",
        "archive_verification",
        "file_cleanup",
        "erasures",
    ]


def test_the_api_pauses_and_resumes_one(api):
    paused = api.patch(f"{API}/weekly_cleanup", {"paused": True}).json()
    assert (paused["paused"], paused["next_run_time"], paused["next_fire_times"]) == (True, None, [])
    assert not schedules.find("daily_housekeeping").is_paused

    resumed = api.patch(f"{API}/weekly_cleanup", {"paused": False}).json()
    assert resumed["next_run_time"]


def test_the_api_pauses_all_and_the_status_says_so(api):
    api.patch(API, {"paused": True})
    status = api.get("/api/admin/scheduler/status").json()
    assert status["status"] == "paused"
    assert {job["next_run_time"] for job in status["jobs"]} == {None}

    api.patch(API, {"paused": False})
    assert api.get("/api/admin/scheduler/status").json()["status"] == "stopped"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("30 4 * * mon", "cron[day_of_week='mon', hour='4', minute='30']"),
        ("1 06:00:00", "interval[1:06:00:00]"),
    ],
)
def test_the_api_changes_a_trigger_and_resets_it(api, text, shown):
    changed = api.patch(f"{API}/daily_housekeeping", {"trigger": text}).json()
    assert (changed["trigger"], changed["changed"]) == (shown, True)
    assert api.get("/api/admin/scheduler/status").json()["jobs"][0]["trigger"] == shown

    reset = api.patch(f"{API}/daily_housekeeping", {"reset": True}).json()
    assert (reset["trigger"], reset["changed"]) == ("cron[hour='2', minute='0']", False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trigger": "61 2 * * *"}, "trigger"),
        ({"trigger": "every day"}, "trigger"),
        ({"trigger": "00:00:01"}, "trigger"),
        ({"trigger": ""}, "trigger"),
        ({"trigger": "0 2 * * *", "reset": True}, "reset"),
        ({"paused": "perhaps"}, "paused"),
        ({"pause": True}, "pause"),
        ({}, "non_field_errors"),
        ([], "non_field_errors"),
    ],
)
def test_a_bad_change_names_the_field_and_changes_nothing(api, body, field):
    answer = api.patch(f"{API}/daily_housekeeping", body)

    assert answer.status_code == 400
    assert field in answer.json()
    assert trigger_of() == "cron[hour='2', minute='0']"
    assert not Act.objects.exists()


def test_a_bad_trigger_beside_a_pause_pauses_nothing(api):
    answer = api.patch(f"{API}/daily_housekeeping", {"paused": True, "trigger": "61 2 * * *"})

    assert answer.status_code == 400
    assert not schedules.find("daily_housekeeping").is_paused


def test_an_unknown_schedule_is_404(api):
    assert api.get(f"{API}/yearly").status_code == 404
    assert api.patch(f"{API}/yearly", {"paused": True}).status_code == 404


def test_fire_times_are_shown_before_a_trigger_is_saved(api):
    answer = api.get(f"{API}/fire-times", {"trigger": "0 2 * * *"}).json()

    assert len(answer["next_fire_times"]) == 5
    assert all("T02:00:00+00:00" in moment for moment in answer["next_fire_times"])
    assert api.get(f"{API}/fire-times", {"trigger": "nonsense"}).status_code == 400


@pytest.mark.parametrize(
    ("rights", "pause", "change"),
    [
        ((), 403, 403),
        (("view_run",), 403, 403),
        (("view_run", "operate"), 200, 403),
        (("view_run", "operate", "configure"), 200, 200),
    ],
    ids=str,
)
def test_a_pause_needs_operate_and_a_trigger_configure(rights, pause, change):
    client = with_token(account(*rights))

    assert client.patch(f"{API}/weekly_cleanup", {"paused": True}).status_code == pause
    assert client.patch(f"{API}/weekly_cleanup", {"trigger": "0 5 * * *"}).status_code == change
    assert APIClient().patch(f"{API}/weekly_cleanup", {"paused": True}).status_code == 401


def test_who_may_only_configure_does_not_pause():
    client = with_token(account("view_run", "configure"))

    assert client.patch(f"{API}/weekly_cleanup", {"paused": True}).status_code == 403
    assert not schedules.find("weekly_cleanup").is_paused


# --- Dashboard --------------------------------------------------------------------------------


def test_the_page_of_a_schedule_shows_the_next_fire_times(dashboard):
    answer = dashboard.get(PAGE)

    assert answer.status_code == 200
    assert answer.text.count(", 02:00:00 UTC") >= 5


def test_fire_times_are_shown_as_one_types(dashboard):
    answer = dashboard.get(PAGE, {"trigger": "15 7 * * *"}, headers={"HX-Request": "true"})

    assert "<html" not in answer.text
    assert answer.text.count(", 07:15:00 UTC") == 5
    assert trigger_of() == "cron[hour='2', minute='0']"


def test_a_trigger_is_saved_and_reset_on_its_page(dashboard):
    answer = dashboard.post(f"{PAGE}/change", {"trigger": "15 7 * * *"}, follow=True)
    assert "Daily Housekeeping Tasks runs at 7:15 AM from now on." in answer.text
    assert trigger_of() == "cron[hour='7', minute='15']"
    assert "ada: trigger changed" in answer.text

    dashboard.post(f"{PAGE}/reset")
    assert trigger_of() == "cron[hour='2', minute='0']"


def test_a_bad_trigger_is_refused_in_place_with_what_was_typed(dashboard):
    answer = dashboard.post(f"{PAGE}/change", {"trigger": '61 7 * * * "><script>'})

    assert answer.status_code == 400
    assert "61 7 * * * &quot;&gt;&lt;script&gt;" in answer.text
    assert "<script>&quot;" not in answer.text
    assert not Act.objects.exists()


def test_a_schedule_is_paused_and_resumed_in_place(dashboard):
    fragment = dashboard.post(f"{PAGE}/pause", headers={"HX-Request": "true"})
    assert 'id="overview"' in fragment.text
    assert schedules.find("daily_housekeeping").is_paused

    page = dashboard.post(f"{PAGE}/resume", follow=True)
    assert "Daily Housekeeping Tasks is resumed." in page.text
    assert not schedules.find("daily_housekeeping").is_paused


def test_all_schedules_are_paused_with_one_button(dashboard):
    answer = dashboard.post("/scheduler-admin/schedules/pause", follow=True)
    assert "All schedules are paused." in answer.text

    answer = dashboard.post("/scheduler-admin/schedules/resume", follow=True)
    assert "All schedules are paused." not in answer.text


@pytest.mark.django_db(transaction=True)
def test_a_schedule_is_run_now_from_its_page(dashboard):
    confirm(dashboard, f"{PAGE}/run")

    run = Run.objects.get()
    assert (run.task, run.schedule, run.cause) == ("all", "daily_housekeeping", "manual")


@pytest.mark.parametrize(
    ("act", "needed"),
    [
        ("pause", "operate"),
        ("resume", "operate"),
        ("run", "operate"),
        ("change", "configure"),
        ("reset", "configure"),
    ],
)
def test_each_act_on_a_schedule_asks_for_its_right(client, act, needed):
    client.force_login(account("view_run", *({"operate", "configure"} - {needed})))
    assert client.post(f"{PAGE}/{act}", {"trigger": "0 3 * * *"}).status_code == 403

    client.force_login(account("view_run", needed))
    # Running it deletes, and so is asked about first.
    answered, looked_at = (200, 200) if act == "run" else (302, 405)
    assert client.post(f"{PAGE}/{act}", {"trigger": "0 3 * * *"}).status_code == answered
    assert client.get(f"{PAGE}/{act}").status_code == looked_at


def test_a_viewer_sees_a_schedule_and_no_button(client):
    client.force_login(account("view_run"))

    page = client.get(PAGE).text

    assert page.partition("<main")[2].count('<form method="post"') == 0
    assert client.get("/scheduler-admin/schedules/yearly").status_code == 404


# --- Command ----------------------------------------------------------------------------------


def command(*words):
    out = io.StringIO()
    call_command("housekeeping_schedules", *words, stdout=out)
    return out.getvalue()


def test_the_command_lists_the_schedules():
    schedules.change("weekly_cleanup", "0 5 * * *")
    schedules.pause("daily_housekeeping")

    head, *lines = command().splitlines()

    assert head.split() == ["schedule", "next", "run", "trigger"]
    assert [line.split()[0] for line in lines] == list(SCHEDULES)
    assert any("paused" in line for line in lines if line.startswith("daily"))
    assert any("(declared: cron[day_of_week='sun'" in line for line in lines)
    assert len(json.loads(command("list", "--json"))) == len(lines)


def test_the_command_changes_a_trigger_after_showing_its_fire_times():
    looked = command("change", "weekly_cleanup", "0 5 * * *", "--dry-run")
    assert looked.count("05:00:00+00:00") == 5
    assert trigger_of("weekly_cleanup") == "cron[day_of_week='sun', hour='3', minute='0']"

    command("change", "weekly_cleanup", "0 5 * * *")
    assert trigger_of("weekly_cleanup") == "cron[hour='5', minute='0']"

    command("reset", "weekly_cleanup")
    assert trigger_of("weekly_cleanup") == "cron[day_of_week='sun', hour='3', minute='0']"


def test_the_command_pauses_one_or_all():
    command("pause", "weekly_cleanup")
    assert [entry.schedule.id for entry in schedules.entries() if entry.is_paused] == ["weekly_cleanup"]

    command("pause", "all")
    assert all(entry.is_paused for entry in schedules.entries())

    command("resume", "all")
    assert not any(entry.is_paused for entry in schedules.entries())


@pytest.mark.django_db(transaction=True)
def test_the_command_runs_a_schedule_now():
    assert "waiting for a consumer" in command("run", "statistics_generation")
    assert Run.objects.get().schedule == "statistics_generation"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("pause", "yearly"), "There is no schedule 'yearly'"),
        (("change", "weekly_cleanup", "61 5 * * *"), "not a cron expression"),
        (("change", "yearly", "0 5 * * *"), "There is no schedule"),
    ],
)
def test_a_bad_word_is_one_clear_error(words, part):
    with pytest.raises(CommandError, match=part):
        command(*words)

    assert not Act.objects.exists()


def test_who_acted_on_the_command_line_is_on_record():
    make.schedule_state("weekly_cleanup", due=make.ago(hours=-1))

    command("pause", "weekly_cleanup")

    act = Act.objects.get()
    assert act.who
    assert act.origin.startswith("command on ")
