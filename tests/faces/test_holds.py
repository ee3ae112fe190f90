"""Holds on the API, the dashboard, the command line and in Django's admin."""

import io
import json
import re
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from housekeeping.models import Act, Hold
from housekeeping.steering import holds
from tests import make
from tests.conftest import with_token
from tests.visitors import account

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler/holds"
PAGE = "/scheduler-admin/holds"
HTMX = {"HX-Request": "true"}
CONVERSATION = "chat.Conversation"


def hold(**fields):
    row = fields.pop("row", None) or make.conversation()
    fields = {"model": CONVERSATION, "key": str(row.pk), "reason": "A dispute"} | fields
    return Hold.objects.create(**fields)


def undo_with_holds(number=3, **fields):
    undo = make.run(status="succeeded", undo_of=make.run(status="succeeded"), requested_by="grace")
    for _ in range(number):
        hold(undo=undo, **fields)
    return undo


def of_undo(undo):
    return f"/api/admin/scheduler/runs/{undo.pk}/holds"


# --- API --------------------------------------------------------------------------------------


def test_the_api_keeps_a_row(api):
    row = make.conversation()
    body = {"model": CONVERSATION, "key": row.pk, "until": "2127-01-31", "reason": "A dispute"}

    answer = api.post(API, body)

    made = answer.json()
    assert answer.status_code == 201
    assert answer["Location"] == made["url"] == f"{API}/{made['id']}"
    assert api.get(made["url"]).json() == made
    assert made["until"] == "2127-01-31T23:59:59+00:00"
    assert (made["key"], made["made_by"], made["undo"], made["active"]) == (str(row.pk), "ada", None, True)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"model": "chat.Nonsense"}, "model"),
        ({"model": None}, "model"),
        ({"key": "0"}, "key"),
        ({"key": {}}, "key"),
        ({"key": "\0"}, "key"),
        ({"until": "soon"}, "until"),
        ({"until": "2020-01-31"}, "until"),
        ({"until": 7}, "until"),
        ({"until": []}, "until"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"untill": "2127-01-31"}, "untill"),
    ],
    ids=str,
)
def test_a_hold_that_can_t_be_made_names_the_field(api, wrong, field):
    body = {"model": CONVERSATION, "key": make.conversation().pk, "reason": "x"} | wrong

    answer = api.post(API, body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not Hold.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", '"x"', "{"])
def test_a_body_that_is_no_object_keeps_nothing(api, body):
    assert api.generic("POST", API, body, content_type="application/json").status_code == 400


def test_the_api_lists_holds_newest_first_and_by_filter(api):
    undo = undo_with_holds(1)
    old, ended = hold(), hold(until=make.ago(days=1))

    def ids(**filters):
        return [one["id"] for one in api.get(API, filters).json()["results"]]

    assert ids() == [ended.pk, old.pk, undo.holds.get().pk]
    assert ids(active="false") == [ended.pk]
    assert ids(active="true", page_size=1) == [old.pk]
    assert ids(undo=undo.pk) == [undo.holds.get().pk]
    assert ids(model=CONVERSATION, key=old.key) == [old.pk]
    assert ids(model="chat.User") == []


def test_pages_of_holds_go_on_where_the_last_one_ended(api):
    made = [hold().pk for _ in range(3)]

    first = api.get(API, {"page_size": 2}).json()
    second = api.get(first["next"]).json()

    assert [one["id"] for one in first["results"] + second["results"]] == made[::-1]


@pytest.mark.parametrize(
    "query", ["active=perhaps", "undo=7", "page_size=0", "cursor=cD1ub3RhZGF0ZQ==", "modell=chat.User"]
)
def test_a_bad_filter_is_named(api, query):
    answer = api.get(f"{API}?{query}")

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [query.partition("=")[0]])


def test_the_api_changes_and_ends_a_hold(api):
    one = hold(until=make.ago(days=-1))

    changed = api.patch(f"{API}/{one.pk}", {"until": None}).json()
    assert (changed["until"], changed["reason"]) == (None, "A dispute")
    assert api.patch(f"{API}/{one.pk}", {"reason": "Another"}).json()["reason"] == "Another"

    assert api.delete(f"{API}/{one.pk}").status_code == 204
    assert api.get(f"{API}/{one.pk}").status_code == 404
    assert [act.what for act in Act.objects.order_by("pk")] == ["change hold", "change hold", "end hold"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "non_field_errors"),
        ({"until": "2020-01-31"}, "until"),
        ({"reason": " "}, "reason"),
        ({"key": "7"}, "key"),
    ],
)
def test_a_bad_change_changes_nothing(api, body, field):
    one = hold()

    answer = api.patch(f"{API}/{one.pk}", body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not Act.objects.exists()


def test_the_holds_of_an_undo_are_one_thing_to_the_api(api):
    undo = undo_with_holds(3)

    changed = api.patch(of_undo(undo), {"until": "2127-01-31"})
    assert changed.json() == {"changed": 3, "until": "2127-01-31T23:59:59+00:00"}
    assert {one.until.year for one in undo.holds.all()} == {2127}

    assert api.delete(of_undo(undo)).json() == {"ended": 3}
    assert api.delete(of_undo(undo)).status_code == 409


@pytest.mark.parametrize("body", [{}, {"until": "x"}, {"until": "2020-01-31"}, {"until": ""}])
def test_a_bad_end_leaves_an_undo_s_holds_alone(api, body):
    undo = undo_with_holds(1, until=make.ago(days=-1))
    before = undo.holds.get().until

    answer = api.patch(of_undo(undo), body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["until"])
    assert undo.holds.get().until == before


@pytest.mark.parametrize("path", [f"{API}/7", f"{API}/{'9' * 18}", f"{API}/{'9' * 30}", f"{API}/x"])
def test_a_hold_that_is_not_there_is_404(api, path):
    assert api.get(path).status_code == 404
    assert api.delete(path).status_code == 404


# --- Command ----------------------------------------------------------------------------------


def command(*words):
    out = io.StringIO()
    call_command("housekeeping_holds", *words, stdout=out)
    return out.getvalue()


def test_the_command_keeps_a_row_lists_and_ends_it():
    row = make.conversation()

    said = command("add", CONVERSATION, str(row.pk), "--until", "2127-01-31", "--reason", "A dispute")
    one = Hold.objects.get()
    assert f"{CONVERSATION} {row.pk} is on hold until 2127-01-31 23:59" in said
    assert f"{CONVERSATION} {row.pk}" in command()
    assert [line["id"] for line in json.loads(command("list", "--json", "--key", one.key))] == [one.pk]

    assert json.loads(command("change", str(one.pk), "--for-good", "--json"))["until"] is None
    command("end", str(one.pk))
    assert "No holds." in command("list", "--active")
    assert Act.objects.first().origin.startswith("command on ")


def test_a_long_list_tells_how_to_see_the_rest():
    for key in range(1200):
        Hold.objects.create(model="chat.Conversation", key=str(key), reason="A dispute")

    *lines, last = command("list", "--limit", "7").splitlines()

    assert lines[0].split() == ["hold", "row", "until", "reason"]
    assert (len(lines), last) == (8, "7 of 1,200 shown; --limit 1200 shows all.")
    assert "no end" in lines[1]


def test_the_command_changes_and_ends_what_an_undo_holds():
    undo = undo_with_holds(2)

    listed = command("list", "--active")
    assert listed.splitlines()[0].split() == ["undo", "holds", "until", "of"]
    assert listed.splitlines()[1].split()[:2] == [str(undo.pk), "2"]
    assert len(command("list", "--undo", str(undo.pk)).splitlines()) == 3
    one = undo.holds.first()
    assert command("list", "--key", one.key).splitlines()[1].split()[1] == "1"

    assert "2 holds" in command("change", str(undo.pk), "--until", "2127-01-31")
    assert json.loads(command("end", str(undo.pk), "--json")) == {"ended": 2}

    assert not Hold.objects.exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            ("add", "chat.Nonsense", "1", "--reason", "x"),
            "No policy deletes from 'chat.Nonsense'; choose one",
        ),
        (("add", CONVERSATION, "0", "--reason", "x"), "There is no chat.Conversation with the key '0'"),
        (("add", CONVERSATION, "0", "--reason", "x", "--until", "soon"), "'soon' is not a date"),
        (("add", CONVERSATION, "0", "--reason", " "), "Enter a reason"),
        (("add", CONVERSATION, "0"), "--reason"),
        (("change", "7", "--for-good"), "There is no hold 7"),
        (("change", "7"), "Say what to change"),
        (("end", "x"), "There is no hold and no run 'x'"),
        (("end", str(uuid.uuid4())), "There is no hold and no run"),
        (("list", "--limit", "0"), "--limit"),
    ],
)
def test_a_bad_word_is_one_clear_error(words, part):
    with pytest.raises(CommandError, match=re.escape(part)):
        command(*words)

    assert not Act.objects.exists()


# --- Django's admin ---------------------------------------------------------------------------

ADMIN = "/admin/housekeeping/hold"


def test_the_admin_s_holds_are_on_record_as_acts(dashboard):
    row = make.conversation()
    form = {"model": CONVERSATION, "key": f" {row.pk}", "reason": "x", "until_0": "", "until_1": ""}

    assert dashboard.post(f"{ADMIN}/add/", form).status_code == 302
    one = Hold.objects.get()
    dashboard.post(f"{ADMIN}/{one.pk}/change/", {"reason": "y", "until_0": "", "until_1": ""})
    one.refresh_from_db()
    assert (one.key, one.reason, one.made_by) == (str(row.pk), "y", "ada")
    dashboard.post(f"{ADMIN}/{one.pk}/delete/", {"post": "yes"})

    assert not Hold.objects.exists()
    acts = list(Act.objects.order_by("pk").values_list("what", "who", "origin"))
    assert acts == [(what, "ada", "admin from 127.0.0.1") for what in ("hold", "change hold", "end hold")]


def test_a_hold_is_changed_in_the_admin_though_its_row_is_gone(dashboard):
    row = make.conversation()
    one = hold(row=row)
    row.delete()

    answer = dashboard.post(f"{ADMIN}/{one.pk}/change/", {"reason": "y", "until_0": "", "until_1": ""})

    assert answer.status_code == 302
    one.refresh_from_db()
    assert one.reason == "y"


def test_several_are_ended_in_the_admin_with_an_act_each(dashboard):
    chosen = [hold().pk, hold().pk]
    form = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}

    dashboard.post(f"{ADMIN}/", form)

    assert not Hold.objects.exists()
    assert [act.what for act in Act.objects.all()] == ["end hold"] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "chat.Nonsense"},
        {"key": "0"},
        {"reason": " "},
        {"until_0": "2020-01-31", "until_1": "12:00"},
    ],
    ids=str,
)
def test_the_admin_refuses_what_can_t_be_kept(dashboard, wrong):
    form = {"model": CONVERSATION, "key": make.conversation().pk, "reason": "x", "until_0": "", "until_1": ""}

    answer = dashboard.post(f"{ADMIN}/add/", form | wrong)

    assert answer.status_code == 200
    assert "errorlist" in answer.text
    assert not Hold.objects.exists()


def first(monkeypatch, name, step):
    """Have ``step`` done by another person just before ``steering.holds`` does what was asked."""
    real = getattr(holds, name)
    monkeypatch.setattr(holds, name, lambda *facts, **options: (step(), real(*facts, **options))[1])


@pytest.mark.parametrize(
    ("name", "path", "form"),
    [
        ("change", "{pk}/change/", {"reason": "y", "until_0": "", "until_1": ""}),
        ("end", "{pk}/delete/", {"post": "yes"}),
    ],
)
def test_who_acts_in_the_admin_on_a_hold_that_another_ends_is_told(dashboard, monkeypatch, name, path, form):
    one = hold()
    first(monkeypatch, name, Hold.objects.all().delete)

    answer = dashboard.post(f"{ADMIN}/{path.format(pk=one.pk)}", form, follow=True)

    assert answer.redirect_chain == [(f"{ADMIN}/", 302)]
    assert [str(one) for one in answer.context["messages"]] == ["This hold has already ended."]
    assert not LogEntry.objects.exists()


def test_of_several_holds_none_is_ended_in_the_admin_if_another_ends_one(dashboard, monkeypatch):
    one, other = hold(), hold()
    first(monkeypatch, "end", Hold.objects.filter(pk=one.pk).delete)
    form = {"action": "delete_selected", "_selected_action": [one.pk, other.pk], "post": "yes"}

    answer = dashboard.post(f"{ADMIN}/", form, follow=True)

    said = f"No hold was ended: the one on {one} has already ended."
    assert [str(one) for one in answer.context["messages"]] == [said]
    assert not Act.objects.exists()
    assert not LogEntry.objects.exists()


def test_who_makes_a_hold_in_the_admin_on_a_row_that_another_deletes_is_told(dashboard, monkeypatch):
    row = make.conversation()
    form = {"model": CONVERSATION, "key": row.pk, "reason": "x", "until_0": "", "until_1": ""}
    first(monkeypatch, "add", row.delete)

    answer = dashboard.post(f"{ADMIN}/add/", form, follow=True)

    assert answer.redirect_chain == [(f"{ADMIN}/add/", 302)]
    said = f"There is no {CONVERSATION} with the key '{form['key']}'."
    assert [str(one) for one in answer.context["messages"]] == [said]
    assert not Hold.objects.exists()


def test_a_reason_is_changed_in_the_admin_beside_an_end_that_has_passed(dashboard):
    one = hold(until=make.ago(days=1).replace(microsecond=5))  # the form shows no microseconds
    day, time = f"{timezone.localtime(one.until):%Y-%m-%d %H:%M:%S}".split()

    dashboard.post(f"{ADMIN}/{one.pk}/change/", {"reason": "y", "until_0": day, "until_1": time})

    assert Hold.objects.values_list("reason", "until").get() == ("y", one.until)


def test_a_hold_that_would_end_in_the_past_is_refused_in_the_admin(dashboard):
    row = make.conversation()
    form = {"model": CONVERSATION, "key": row.pk, "reason": "x", "until_0": "2020-01-31", "until_1": "00:00"}

    answer = dashboard.post(f"{ADMIN}/add/", form)

    assert "A hold must end in the future. Leave the date out to hold the row indefinitely." in answer.text
    assert not Hold.objects.exists()


DJANGO_S_OWN = ["view_hold", "add_hold", "change_hold", "delete_hold"]


@pytest.mark.parametrize(
    ("rights", "codes"),
    [
        (["configure"], [200] * 4),
        (["view_run", "operate", *DJANGO_S_OWN], [200, 403, 200, 403]),  # a hold to look at is a page, too
        (DJANGO_S_OWN, [403] * 4),
    ],
    ids=lambda value: str(value[0]),
)
def test_the_rights_to_holds_are_the_same_in_the_admin_as_elsewhere(rights, codes, client):
    staff, one = account(*rights), hold()
    staff.is_staff = True
    staff.save()
    client.force_login(staff)

    pages = [f"{ADMIN}/", f"{ADMIN}/add/", f"{ADMIN}/{one.pk}/change/", f"{ADMIN}/{one.pk}/delete/"]
    assert [client.get(page).status_code for page in pages] == codes
    client.post(pages[2], {"reason": "y", "until_0": "", "until_1": ""})
    one.refresh_from_db()
    assert one.reason == ("y" if rights == ["configure"] else "A dispute")
    client.post(pages[0], {"action": "delete_selected", "_selected_action": [one.pk], "post": "yes"})
    assert Hold.objects.exists() == (rights != ["configure"])
    assert Act.objects.exists() == (rights == ["configure"])


def test_who_may_only_look_changes_no_hold_by_the_api():
    one = hold()
    client = with_token(account("view_run", "operate"))

    assert client.get(f"{API}/{one.pk}").status_code == 200
    assert client.delete(f"{API}/{one.pk}").status_code == 403
    assert Hold.objects.get() == one
