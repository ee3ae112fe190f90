"""The page of holds."""

import re
from html import unescape

import pytest
from django.core.management import call_command

from chat.models import Conversation
from housekeeping.models import Act, Hold
from housekeeping.steering import holds
from tests import make
from tests.faces.test_holds import hold, undo_with_holds
from tests.visitors import account, confirm, text

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler/holds"
PAGE = "/scheduler-admin/holds"
HTMX = {"HX-Request": "true"}
CONVERSATION = "chat.Conversation"


def test_the_page_shows_an_undo_s_holds_as_one_line_and_others_one_by_one(dashboard):
    undo, single = undo_with_holds(3, until=make.ago(days=-30)), hold(until=make.ago(days=1))

    page = dashboard.get(PAGE)

    assert page.text.count("<tr id=") == 2
    assert "3 rows" in page.text
    assert f"/scheduler-admin/runs/{undo.pk}" in page.text
    assert f'<span class="key">{single.key}</span>' in page.text
    assert page.text.count(">ended<") == 1


def test_a_row_is_kept_from_the_page(dashboard):
    row = make.conversation()
    form = {"model": CONVERSATION, "key": row.pk, "until": "2127-01-31", "reason": "<b>A dispute</b>"}

    page = dashboard.post(f"{PAGE}/add", form, follow=True)

    assert f"Saved. {CONVERSATION} {row.pk} is on hold.</p>" in page.text
    assert "&lt;b&gt;A dispute" in page.text
    assert Hold.objects.get().until.isoformat() == "2127-01-31T23:59:59+00:00"
    assert Act.objects.get().origin.startswith("dashboard from")


def test_what_can_t_be_kept_is_told_beside_what_was_typed(dashboard):
    page = dashboard.post(f"{PAGE}/add", {"model": "chat.User", "key": '"><script>', "reason": "Why"})

    assert page.status_code == 400
    assert "Not saved: There is no chat.User with the key" in unescape(page.text)
    assert 'aria-invalid="true" aria-describedby="hold-problem" autofocus' in page.text
    assert page.text.count('id="hold-problem"') == 1
    assert '<input name="key" value="&quot;&gt;&lt;script&gt;"' in page.text
    assert "<option selected>chat.User</option>" in page.text
    assert not Hold.objects.exists()


def test_a_hold_is_changed_and_ended_in_place(dashboard):
    one = hold()

    fragment = dashboard.post(f"{PAGE}/{one.pk}/change", {"until": "2127-01-31"}, headers=HTMX).text
    assert fragment.strip().startswith('<div id="holds"')
    assert "31 Jan 2127" in fragment

    page = dashboard.post(f"{PAGE}/{one.pk}/end", follow=True).text
    assert f"Ended the hold on {one}." in page
    assert not Hold.objects.exists()
    assert dashboard.post(f"{PAGE}/{one.pk}/end").status_code == 404


def test_an_undo_s_holds_are_changed_and_ended_with_one_button(dashboard):
    undo = undo_with_holds(2, until=make.ago(days=-1))
    address = f"/scheduler-admin/runs/{undo.pk}/holds"

    page = dashboard.post(f"{address}/change", {"until": ""}, follow=True).text
    assert "2 rows are on hold indefinitely." in page
    assert set(undo.holds.values_list("until", flat=True)) == {None}

    assert "Ended 2 holds." in confirm(dashboard, f"{address}/end", headers=HTMX).text
    assert dashboard.post(f"{address}/end", headers=HTMX).status_code == 409


def test_a_hold_is_ended_after_a_question_and_not_twice(dashboard):
    one, undo = hold(model="chat.User", key="<7>"), undo_with_holds(2)

    page = dashboard.get(PAGE).text

    forms = re.findall(r'<form method="post" action="([^"]*/(?:change|end))"([^>]*)>', page)
    asked = {action: re.findall(r'data-confirm="([^"]*)"', rest) for action, rest in forms}
    of_undo = f"/scheduler-admin/runs/{undo.pk}/holds"
    assert asked == {
        f"{PAGE}/{one.pk}/change": [],
        f"{PAGE}/{one.pk}/end": ["End the hold on chat.User &lt;7&gt;? Its row no longer exists."],
        f"{of_undo}/change": [],
    }


@pytest.fixture
def one_of_two_gone():
    """Two holds; the owner has deleted the second one's row since."""
    there, gone = (
        holds.add("chat.Conversation", make.conversation().pk, reason="A dispute") for _ in range(2)
    )
    Conversation.objects.get(pk=gone.key).delete()
    return there, gone


def test_the_page_says_which_hold_has_lost_its_row_and_lets_it_be_ended(dashboard, one_of_two_gone):
    there, gone = one_of_two_gone

    page = dashboard.get(PAGE).text
    dashboard.post(f"{PAGE}/{gone.pk}/end")

    lines = {
        one.pk: re.search(rf'<tr id="hold-{one.pk}">.*?</tr>', page, re.DOTALL)[0] for one in (there, gone)
    }
    assert [("row is gone" in lines[one.pk]) for one in (there, gone)] == [False, True]
    assert list(Hold.objects.all()) == [there]


def test_a_row_that_goes_is_seen_with_the_next_poll(dashboard):
    made = make.conversation()
    holds.add("chat.Conversation", made.pk, reason="A dispute")
    tag = dashboard.get(PAGE, headers=HTMX)["HX-PTag"]
    assert dashboard.get(PAGE, headers=HTMX | {"HX-PTag": tag}).status_code == 304

    made.delete()

    assert "row is gone" in dashboard.get(PAGE, headers=HTMX | {"HX-PTag": tag}).text


def test_the_api_and_the_command_say_it_too(api, one_of_two_gone, capsys):
    there, gone = one_of_two_gone

    listed = api.get("/api/admin/scheduler/holds").json()["results"]
    alone = api.get(f"/api/admin/scheduler/holds/{gone.pk}").json()
    call_command("housekeeping_holds", "list")

    assert {one["id"]: one["row_exists"] for one in listed} == {there.pk: True, gone.pk: False}
    assert alone["row_exists"] is False
    printed = capsys.readouterr().out
    assert f"{gone} (row is gone)" in printed
    assert f"{there} (row is gone)" not in printed


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_bad_date_is_told_and_changes_nothing(dashboard, headers):
    one = hold()

    text = "soon"

    answer = dashboard.post(f"{PAGE}/{one.pk}/change", {"until": text}, headers=headers, follow=True)

    assert f"Not saved: {text!r} is not a date: write 2027-01-31" in unescape(answer.text)
    assert f'value="{text}" aria-invalid="true" aria-describedby="answer-hold-{one.pk}"' in answer.text
    assert re.search(rf'<details id="change-{one.pk}-[^>]* open>', answer.text)
    one.refresh_from_db()
    assert one.until is None


def test_older_holds_and_older_undos_are_a_page_away(dashboard):
    row = make.conversation()
    made = [hold(row=row).pk for _ in range(51)]
    for _ in range(51):
        undo_with_holds(1, row=row)

    first = dashboard.get(PAGE).text
    links = re.findall(r'href="\?((?:undos_)?older=[^"]*)"', first)
    rows = [listed(dashboard.get(f"{PAGE}?{link}")) for link in links]
    shown = set(re.findall(r'<tr id="([^"]*)"', first))

    assert len(shown) == 100
    assert f"hold-{made[0]}" in rows[1] - shown
    assert len(rows[0] - shown) == 1


def listed(answer):
    return set(re.findall(r'<tr id="([^"]*)"', answer.text))


def test_the_addresses_of_older_holds_from_before_lead_to_them_still(dashboard):
    single, undos = [hold() for _ in range(3)], [undo_with_holds(1) for _ in range(3)]

    older = dashboard.get(f"{PAGE}?before={single[1].pk}")
    older_undos = dashboard.get(f"{PAGE}?undos_before={undos[1].pk}")

    assert listed(older) - {f"undo-holds-{undo.pk}" for undo in undos} == {f"hold-{single[0].pk}"}
    assert listed(older_undos) - {f"hold-{one.pk}" for one in single} == {f"undo-holds-{undos[0].pk}"}


@pytest.mark.parametrize(
    "query",
    ["before=x", "before=²", "older=", f"older={'9' * 30}", "undos_older=x", "undos_before=x", "older=-"],
)
def test_a_place_that_is_not_in_the_list_of_holds_is_its_newest_page(query, dashboard):
    one, undo = hold(), undo_with_holds(1)

    assert listed(dashboard.get(f"{PAGE}?{query}")) == {f"hold-{one.pk}", f"undo-holds-{undo.pk}"}


def test_unchanged_holds_are_answered_304_and_changed_ones_anew(dashboard, viewer, client):
    one, undo = hold(until=make.ago(days=-1)), undo_with_holds(2, until=make.ago(days=-1))
    answer = dashboard.get(PAGE, headers=HTMX)
    assert 'hx-trigger="every 30s, look-again from:document"' in answer.text
    assert f'hx-ptag="{answer["HX-PTag"]}"' in answer.text

    def poll(query=""):
        headers = {**HTMX, "HX-PTag": answer["HX-PTag"]}
        return dashboard.get(PAGE + query, headers=headers)

    assert poll().status_code == 304
    assert poll("?before=7").status_code == 200
    client.force_login(viewer)
    assert client.get(PAGE, headers={**HTMX, "HX-PTag": answer["HX-PTag"]}).status_code == 200
    for change in (
        lambda: Hold.objects.filter(pk=one.pk).update(until=make.ago(days=-2)),
        lambda: Hold.objects.filter(pk=one.pk).update(until=make.ago(seconds=1)),
        lambda: Hold.objects.filter(pk=one.pk).update(reason="Another"),
        lambda: undo.holds.update(until=None),
        lambda: undo.holds.first().delete(),
        lambda: hold(),
    ):
        change()
        changed = poll()
        assert changed.status_code == 200
        answer = changed
        assert poll().status_code == 304


def test_what_an_act_on_holds_did_is_told_once_in_its_place(dashboard):
    one = hold()

    answer = dashboard.post(f"{PAGE}/{one.pk}/end", headers=HTMX)

    assert re.search(r'id="answer-single-holds"[^>]*>Ended the hold on .*</p>', answer.text)
    assert "Ended the hold on" not in dashboard.get(PAGE, headers=HTMX).text


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
@pytest.mark.parametrize("fields", [{"until": "2127-01-31"}, {"until": "soon"}], ids=["done", "refused"])
def test_an_act_on_an_older_page_of_holds_stays_there(headers, fields, dashboard):
    row = make.conversation()
    older, newer = hold(row=row), hold(row=row)
    place = f"?before={newer.pk}"
    page = dashboard.get(PAGE + place).text
    assert f'hx-post="{PAGE}/{older.pk}/end{place}"' in page
    [action] = re.findall(rf'action="({PAGE}/{older.pk}/change[^"]*)"', page)

    answer = dashboard.post(action, fields, headers=headers, follow=True)

    assert re.findall(r'<tr id="hold-(\d+)"', answer.text) == [str(older.pk)]
    assert f'hx-get="{PAGE}{place}"' in answer.text


def test_a_viewer_sees_the_holds_and_no_button(client):
    one, undo = hold(), undo_with_holds(1)
    client.force_login(account("view_run", "operate"))

    page = client.get(PAGE).text

    assert f'<span class="key">{one.key}</span>' in page
    assert re.findall(r'<form[^>]*action="([^"]*)"', page) == ["/sign-out"]
    assert "<details" not in page
    acts = [f"{PAGE}/add", f"{PAGE}/{one.pk}/change", f"{PAGE}/{one.pk}/end"]
    acts += [f"/scheduler-admin/runs/{undo.pk}/holds/{act}" for act in ("change", "end")]
    assert [client.post(act).status_code for act in acts] == [403] * 5
    assert [client.get(act).status_code for act in acts] == [405] * 4 + [403]
    assert Hold.objects.count() == 2


def test_a_stranger_sees_no_holds(client):
    assert client.get(PAGE).status_code == 302
    client.force_login(make.user())
    assert client.get(PAGE).status_code == 403


def test_the_page_asks_the_database_as_often_for_many_undos_as_for_one(
    dashboard, django_assert_max_num_queries
):
    for number in range(12):
        undo = make.run(
            "conversations", status="succeeded", undo_of=make.run("conversations", status="succeeded")
        )
        Hold.objects.create(model="chat.Conversation", key=str(number), reason="Put back", undo=undo)

    with django_assert_max_num_queries(8):
        page = dashboard.get("/scheduler-admin/holds")

    assert text(page).count("1 row") == 12
