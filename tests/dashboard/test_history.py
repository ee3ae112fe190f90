"""The page of acts."""

import re
from html import unescape

import pytest
from django.test import Client
from django.test.html import parse_html

from housekeeping.exceptions import QueueUnreachable
from housekeeping.journal import acts
from housekeeping.models import Act
from housekeeping.steering import retentions
from tests import make
from tests.visitors import HTMX, text

pytestmark = pytest.mark.django_db

HISTORY = "/scheduler-admin/history"


def act(**fields):
    fields = {"done_at": make.ago(), "who": "ada", "what": "pause", "target": "weekly_cleanup"} | fields
    return Act.objects.create(**{"origin": "dashboard from 127.0.0.1"} | fields)


def listed(answer):
    return [int(pk) for pk in re.findall(r'<tr id="act-(\d+)"', answer.text)]


def test_an_act_tells_who_did_what_to_what_from_where_and_what_it_changed(dashboard):
    change = {"before": {"retention_days": 30}, "after": {"retention_days": 60}}
    act(what="change retention", target="conversations", details=change)

    answer = dashboard.get(HISTORY)

    assert (
        "ada retention changed policy conversations retention in days 30 → to 60 dashboard from"
        " 127.0.0.1" in text(answer)
    )
    assert '<a href="/scheduler-admin/policies/conversations">' in answer.text
    assert "<del>30</del>" in answer.text
    assert "<ins>60</ins>" in answer.text


def test_what_is_done_on_the_dashboard_is_there_at_once(dashboard, administrator):
    run = make.run("users")
    dashboard.post(f"/scheduler-admin/runs/{run.pk}/cancel")
    dashboard.post("/scheduler-admin/schedules/weekly_cleanup/pause")
    dashboard.post("/scheduler-admin/policies/conversations/retention", {"retention_days": "60"})

    seen = text(dashboard.get(HISTORY))

    name = administrator.username
    assert f"{name} retention changed policy conversations retention in days 30 → to 60" in seen
    assert f"{name} paused Weekly Conversation Cleanup paused no → to yes" in seen
    assert (
        f"{name} cancelled run of Cleanup inactive users, {str(run.pk)[:8]} status queued → to cancelled"
        in seen
    )


@pytest.mark.parametrize(
    "query",
    [
        "who=grace",
        "what=resume",
        "target=daily_housekeeping",
        "after=2026-01-01T00:00",
        "who=grace&what=resume",
    ],
)
def test_each_filter_finds_its_acts_and_no_others(query, dashboard):
    act(done_at=make.ago(days=3000))
    wanted = act(who="grace", what="resume", target="daily_housekeeping")

    assert listed(dashboard.get(f"{HISTORY}?{query}", follow=True)) == [wanted.pk]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("what=explode", "What: “explode” is not valid; choose one of trigger"),
        ("before=soon", "To: Enter a time such as"),
        ("whom=ada", "There is no filter “whom”; choose one of who, what, target, after, before."),
        ("target=%00", "Null characters are not allowed."),
    ],
)
def test_a_filter_that_can_t_be_used_is_named_in_place(query, problem, dashboard):
    act()

    answer = dashboard.get(f"{HISTORY}?{query}")

    assert answer.status_code == 400
    assert problem in text(answer)


def test_the_pages_lead_down_and_up_and_keep_the_filters(dashboard, django_assert_max_num_queries):
    made = [act(done_at=make.ago(minutes=n)).pk for n in range(120)]
    act(who="grace")

    def follow(answer, label):
        return dashboard.get(unescape(re.search(rf'href="([^"]*)">{label}</a>', answer.text)[1]))

    with django_assert_max_num_queries(4):
        first = dashboard.get(f"{HISTORY}?who=ada")
    second = follow(first, "Older")

    assert listed(first) + listed(second) + listed(follow(second, "Older")) == made
    assert listed(follow(first, "Oldest")) == made[70:]
    assert listed(follow(second, "Newer")) == made[:50]


def test_an_unchanged_history_is_answered_304_and_a_longer_one_anew(dashboard):
    act()
    answer = dashboard.get(f"{HISTORY}?who=ada&what=", headers=HTMX)
    tag = {**HTMX, "HX-PTag": answer["HX-PTag"]}
    assert (
        dict(parse_html(answer.text).attributes)["hx-get"] == answer["HX-Replace-Url"] == f"{HISTORY}?who=ada"
    )

    assert dashboard.get(f"{HISTORY}?who=ada", headers=tag).status_code == 304
    assert dashboard.get(HISTORY, headers=tag).status_code == 200
    act()
    assert dashboard.get(f"{HISTORY}?who=ada", headers=tag).status_code == 200


def test_an_act_that_came_to_nothing_changes_the_history_that_shows_it(dashboard):
    act()
    answer = dashboard.get(HISTORY, headers=HTMX)

    acts.failed("weekly_cleanup", QueueUnreachable("no such host"))
    later = dashboard.get(HISTORY, headers={**HTMX, "HX-PTag": answer["HX-PTag"]})

    assert later.status_code == 200
    assert "failed" in text(later)


def test_a_viewer_may_see_it_and_others_may_not(viewer, client):
    act()
    client.force_login(viewer)
    assert listed(client.get(HISTORY))

    assert Client().get(HISTORY)["Location"] == f"/sign-in?next={HISTORY}"
    client.force_login(make.user())
    assert client.get(HISTORY).status_code == 403


def test_an_empty_history_says_so(dashboard):
    assert "No acts yet." in text(dashboard.get(HISTORY))
    act()
    assert "No act matches these filters." in text(dashboard.get(f"{HISTORY}?who=nobody"))


@pytest.mark.parametrize("field", ["who", "what", "target", "origin"])
def test_foreign_text_is_escaped(field, dashboard):
    act(**{field: "<script>alert(1)</script>"})

    page = dashboard.get(HISTORY).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_navigation_leads_to_it(dashboard):
    assert re.search(rf'<a href="{HISTORY}"[^>]* aria-current="page"', dashboard.get(HISTORY).text)


def test_the_record_is_not_changed_from_here(dashboard):
    act()

    assert dashboard.post(HISTORY).status_code == 405
    assert Act.objects.count() == 1


def test_the_page_says_how_long_the_record_is_kept(dashboard):
    retentions.change("acts", 500)

    assert "Kept for 500 days." in dashboard.get("/scheduler-admin/history").text


def test_an_act_on_a_task_leads_to_the_task_although_a_policy_has_its_name(dashboard):
    acts.record(make.ADA, "pause task", "conversations")

    page = dashboard.get(HISTORY)

    assert 'href="/scheduler-admin/tasks/conversations"' in page.text
    assert "policy conversations" not in text(page)
    assert "task paused" not in text(dashboard.get("/scheduler-admin/policies/conversations"))


def test_the_times_of_acts_stay_exact_for_today_too(dashboard):
    act(done_at=make.ago(minutes=5))

    [time] = re.findall(r"<td[^>]*><time ([^>]*)>([^<]*)</time>", dashboard.get(HISTORY).text)

    assert "data-as-is" in time[0]
    assert re.fullmatch(r"\w{3} \d+ \w{3} \d{4}, \d\d:\d\d:\d\d", time[1])
