"""Alerts on every face: the API, the page, the command, the metrics."""

import json
import re

import pytest
from django.core.management import CommandError, call_command

from housekeeping.journal import outbox, sending
from housekeeping.journal.alerting import incidents, messages
from housekeeping.journal.alerting.incidents import Condition, Kind
from housekeeping.journal.channels import find
from housekeeping.models import Act, Channel, Delivery, Incident
from housekeeping.runs.work import execution
from tests import make, receivers
from tests.conftest import with_token
from tests.visitors import text

pytestmark = pytest.mark.django_db(transaction=True)

API = "/api/admin/scheduler"
PAGE = "/scheduler-admin/alerts"
CHANNELS = "/scheduler-admin/channels"


@pytest.fixture(autouse=True)
def receiver(settings):
    """A receiver whose host is listed, and a consumer, so that nothing is sent before a test does it."""
    make.consumer()
    with receivers.receiver() as server:
        settings.HOUSEKEEPING_WEBHOOK_HOSTS = [server.host]
        yield server
    outbox.settle()


@pytest.fixture
def pager(receiver):
    return make.channel("pager", address=f"{receiver.url}/in/secret-path")


def something_wrong():
    incidents.begin(Condition(Kind.FAILED, "users", "OSError: the disk is full", "users"))
    return Incident.objects.get()


def command(*words):
    return call_command("housekeeping_alerts", *words)


# --- The API --------------------------------------------------------------------------------


def test_a_channel_is_added_changed_and_removed_by_the_api(api, receiver):
    body = {"name": "pager", "kind": "webhook", "address": f"{receiver.url}/in", "kinds": ["failed"]}

    made = api.post(f"{API}/channels", body)
    assert (made.status_code, made["Location"]) == (201, f"{API}/channels/pager")
    assert made.json()["secret"] == sending.secret(Channel.objects.get())
    assert made.json()["address"].startswith(f"{receiver.url}/… (")

    changed = api.patch(f"{API}/channels/pager", {"on": False, "tasks": ["users"], "new_secret": True}).json()
    assert (changed["on"], changed["tasks"], changed["reminders"]) == (False, ["users"], True)
    assert changed["secret"] != made.json()["secret"]

    assert api.delete(f"{API}/channels/pager").status_code == 204
    assert [one["name"] for one in api.get(f"{API}/channels").json()["results"]] == ["operators"]
    acts = ["add channel", "change channel", "new secret", "remove channel"]
    assert list(Act.objects.order_by("pk").values_list("what", flat=True)) == acts


def test_who_may_only_view_sees_neither_secret_nor_address(pager, viewer):
    answer = with_token(viewer).get(f"{API}/channels/pager")

    assert "secret" not in answer.text
    assert set(answer.json()) >= {"name", "kinds", "address"}


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("address", {"address": "https://inside.example.com/"}),
        ("kinds", {"kinds": ["bored"]}),
        ("tasks", {"tasks": ["dishes"]}),
        ("on", {"on": "yes"}),
        ("name", {"name": "a/b"}),
        ("colour", {"colour": "red"}),
    ],
)
def test_what_can_not_be_a_channel_is_refused_with_its_field(api, receiver, field, body):
    channel = {"name": "pager", "kind": "webhook", "address": receiver.url} | body

    answer = api.post(f"{API}/channels", channel)

    assert (answer.status_code, field in answer.json()["fields"]) == (400, True)
    assert not Channel.objects.exists()


def test_the_operators_channel_is_changed_but_not_removed(api):
    assert api.get(f"{API}/channels/operators").json()["changed_at"] is None

    assert api.patch(f"{API}/channels/operators", {"kinds": []}).json()["kinds"] == []
    assert api.delete(f"{API}/channels/operators").status_code == 409
    assert api.patch(f"{API}/channels/operators", {}).status_code == 400


def test_what_is_no_channel_is_not_found(api):
    for method, path in ((api.get, "nobody"), (api.delete, "nobody"), (api.post, "nobody/test")):
        answer = method(f"{API}/channels/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_channel")


def test_incidents_and_messages_are_listed_with_their_answers(api, pager, receiver):
    incident = something_wrong()
    receiver.status = 503
    outbox.deliver()

    [listed] = api.get(f"{API}/incidents", {"open": "true", "kind": "failed"}).json()["results"]
    assert (listed["id"], listed["title"], listed["text"]) == (
        incident.pk, "users failed", "OSError: the disk is full",
    )  # fmt: skip
    [sent] = api.get(f"{API}/alerts", {"channel": "pager"}).json()["results"]
    assert (sent["state"], sent["answer"], sent["incident"]) == (
        "waiting",
        "503 Service Unavailable",
        incident.pk,
    )
    assert api.get(f"{API}/alerts", {"state": "sent", "channel": "pager"}).json()["results"] == []
    assert api.get(f"{API}/incidents", {"open": "false"}).json()["results"] == []


def test_a_mail_that_is_no_alert_is_nobody_s_business_here(api, dashboard):
    outbox.put("Verify your address", "A secret link", ["grace@example.com"])

    assert api.get(f"{API}/alerts").json()["results"] == []
    assert "grace@example.com" not in dashboard.get(PAGE).text


def test_a_test_arrives(api, pager, receiver):
    answer = api.post(f"{API}/channels/pager/test")

    assert (answer.status_code, answer.json()) == (202, {"sent": 1})
    outbox.deliver()
    [request] = receiver.received
    assert (request.json["type"], request.json["data"]["channel"]) == ("test", "pager")
    assert api.get(f"{API}/alerts").json()["results"][0]["answer"] == "200 OK"


# --- The pages ------------------------------------------------------------------------------


def test_the_page_shows_what_is_wrong_who_is_told_and_what_was_sent(dashboard, pager):
    something_wrong()
    outbox.deliver()

    page = dashboard.get(PAGE).text

    assert "OSError: the disk is full" in page
    assert "users failed" in page
    assert "200 OK" in page
    assert "secret-path" not in page
    assert "everybody who may operate" in page


def test_a_channel_is_added_on_the_page_and_a_test_is_sent(dashboard, receiver):
    form = {"name": "team chat", "kind": "slack", "address": receiver.url, "kinds": ["failed"], "is_on": "on"}

    page = dashboard.post(f"{PAGE}/add", form, follow=True)
    assert page.redirect_chain[-1][0] == f"{CHANNELS}/team%20chat"
    assert "Saved. Send a test" in page.text

    page = dashboard.post(f"{CHANNELS}/team chat/test", follow=True)
    assert "A test is on its way to 1 address" in page.text
    channel = Channel.objects.get()
    assert (channel.kinds, channel.is_on, channel.is_reminded) == (["failed"], True, False)
    assert Act.objects.get(what="add channel").origin.startswith("dashboard from")


def test_what_can_not_be_a_channel_is_told_beside_what_was_typed(dashboard):
    form = {"name": "pager", "kind": "webhook", "address": 'https://inside.example.com/"><script>'}

    page = dashboard.post(f"{PAGE}/add", form | {"tasks": ["users"]})

    assert page.status_code == 400
    assert "Not saved: The host inside.example.com is not listed" in page.text
    assert 'value="https://inside.example.com/&quot;&gt;&lt;script&gt;"' in page.text
    assert page.text.count('id="channel-problem"') == 1
    assert re.search(r'name="tasks" value="users" checked', page.text)


def test_pages_call_the_tasks_of_a_channel_by_their_titles(dashboard, pager):
    dashboard.post(f"{CHANNELS}/pager/change", {"tasks": ["users"], "address": ""})

    for path in (PAGE, f"{CHANNELS}/pager"):
        page = text(dashboard.get(path))
        assert "everything of Cleanup inactive users" in page
        assert "Delete old conversations" in page  # among the choices of the form


def test_a_channel_is_changed_gets_a_new_secret_and_is_removed_on_its_page(dashboard, pager, receiver):
    before = sending.secret(pager)
    page = dashboard.get(f"{CHANNELS}/pager").text
    assert before in page
    assert "secret-path" not in page

    dashboard.post(f"{CHANNELS}/pager/change", {"kinds": ["held"], "address": ""})
    channel = Channel.objects.get()
    assert (channel.kinds, channel.is_on, channel.address) == (["held"], False, pager.address)

    dashboard.post(f"{CHANNELS}/pager/secret")
    assert sending.secret(find("pager")) != before

    refused = dashboard.post(f"{CHANNELS}/pager/change", {"address": "https://inside.example.com"})
    assert (refused.status_code, "Not saved" in refused.text) == (400, True)

    page = dashboard.post(f"{CHANNELS}/pager/remove", follow=True)
    assert "The channel pager is removed." in page.text
    assert dashboard.get(f"{CHANNELS}/pager").status_code == 404
    assert dashboard.post(f"{CHANNELS}/pager/test").status_code == 404


def test_a_viewer_sees_no_secret_and_no_form(client, viewer, pager):
    client.force_login(viewer)

    page = client.get(f"{CHANNELS}/pager").text

    assert sending.secret(pager) not in page
    assert "<form" not in page.partition("<main")[2].partition("</main>")[0]
    assert "Add a channel" not in client.get(PAGE).text


def test_a_poll_is_answered_only_if_something_has_changed(dashboard, pager):
    htmx = {"HX-Request": "true"}
    tag = dashboard.get(PAGE, headers=htmx)["HX-PTag"]
    assert dashboard.get(PAGE, headers=htmx | {"HX-PTag": tag}).status_code == 304

    something_wrong()

    assert dashboard.get(PAGE, headers=htmx | {"HX-PTag": tag}).status_code == 200


# --- Outside watchers -----------------------------------------------------------------------


def test_a_watcher_is_on_every_face_without_its_secret_part(dashboard, api, receiver, settings, capsys):
    settings.HOUSEKEEPING_PING_URL = f"{receiver.url}/secret-uuid"
    assert "none yet" in dashboard.get(PAGE).text
    execution.execute(execution.claim(make.run("stats").pk, 0))
    outbox.deliver()

    page = dashboard.get(PAGE).text
    assert "All runs" in page
    assert f"{receiver.url}/…" in page
    command()
    told = capsys.readouterr().out
    assert f"of all runs  {receiver.url}/…  " in told
    pings = api.get(f"{API}/alerts", {"transport": "ping"})
    assert [one["state"] for one in pings.json()["results"]] == ["sent", "sent"]  # the end, the start
    assert pings.json()["results"][0]["channel"] is None
    assert api.get(f"{API}/alerts").json()["results"] == []
    assert "secret-uuid" not in page + told + pings.text
    assert [one.path for one in receiver.received] == ["/secret-uuid/start", "/secret-uuid"]


# --- The command and the metrics ------------------------------------------------------------


def test_the_command_lists_looks_and_tests(capsys, pager, receiver):
    something_wrong()
    command()
    told = capsys.readouterr().out
    assert "users failed: OSError: the disk is full" in told
    assert "channel    kind     state  who is told\n" in told
    assert "pager      webhook  on     " in told
    assert "secret-path" not in told

    make.run("users", status="succeeded")
    command("look")
    assert capsys.readouterr().out == "Open incidents: 0.\n"

    command("test", "pager")
    assert "A test message goes to 1 address" in capsys.readouterr().out
    with pytest.raises(CommandError, match="There is no channel"):
        command("test", "nobody")


def test_the_command_s_json_is_that_of_the_api(capsys, api, pager):
    something_wrong()

    command("list", "--json")

    told = json.loads(capsys.readouterr().out)
    assert told["incidents"] == api.get(f"{API}/incidents").json()["results"]
    assert told["alerts"] == api.get(f"{API}/alerts").json()["results"]
    assert "secret" not in told["channels"][1]


def test_without_a_consumer_the_command_sends_by_itself(pager, receiver, capsys):
    from housekeeping.models import Consumer

    Consumer.objects.all().delete()

    command("test", "pager")

    assert len(receiver.received) == 1


def test_the_metrics_count_open_incidents_and_messages_by_kind_from_the_start(client, pager):
    def value(name, label):
        found = re.search(
            rf"^housekeeping_{name}{{{label}}} (\S+)$", client.get("/metrics").text, re.MULTILINE
        )
        return float(found[1])

    assert value("incidents_open", 'kind="consumer"') == 0
    assert value("messages_waiting", 'transport="webhook"') == 0

    something_wrong()
    messages.put_test(pager)
    Delivery.objects.filter(kind="test").update(failed_at=make.ago())

    assert value("incidents_open", 'kind="failed"') == 1
    assert value("messages_waiting", 'transport="webhook"') == 1
    assert value("messages_given_up", 'transport="webhook"') == 1
    assert "pager" not in client.get("/metrics").text
