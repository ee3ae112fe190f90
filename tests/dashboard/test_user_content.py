"""What people typed is shown as what it is, on every page: text."""

import json
from html.parser import HTMLParser

import pytest

from chat import accounts
from chat.models import User
from housekeeping.models import Act, Hold, PolicyState, Run
from housekeeping.runs.work import execution
from tests import make

pytestmark = pytest.mark.django_db

EVIL = (
    """"'><img src=x onerror=evil><b hx-get="/evil" hx-trigger=load data-hx-on:click=evil></b>"""
    "</script>{{evil}}"
)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Reader(HTMLParser):
    """The attributes of a page, and for each piece of text whether htmx ignores it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, text):
        self.texts.append(
            (text, [tag for tag, _ in self.open], any("hx-ignore" in on for _, on in self.open))
        )

    @property
    def injected(self):
        """What the evil text has become beside text: a tag or an attribute of its own."""
        names = ("onerror", "data-hx-on:click")
        return [one for one in self.attributes if one[1] in names or one[1:] == ("hx-get", "/evil")]

    @property
    def evil(self):
        """The pieces of text that are the user's, outside of where htmx looks for nothing."""
        return [one for one in self.texts if "evil" in one[0] and "title" not in one[1]]


@pytest.fixture
def evil(db):
    """EVIL wherever somebody can put text, and the account of that name."""
    user = make.administrator(username=EVIL[:150], email="evil@example.com", first_name=EVIL[:150])
    talk = make.conversation(user=user, title=EVIL, age=make.days(31))
    make.message(conversation=talk, content=EVIL)
    Hold.objects.create(model="chat.User", key=str(user.pk), reason=EVIL, made_by=EVIL[:150])
    Act.objects.create(
        done_at=make.ago(hours=1), who=EVIL[:150], what="change", target="weekly_cleanup", origin=EVIL[:150],
        details={"after": {"trigger": EVIL}, "before": {"retention_days": EVIL}},
    )  # fmt: skip
    Act.objects.create(
        done_at=make.ago(hours=1), who=EVIL[:150], what="change", target="conversations", origin=EVIL[:150]
    )
    PolicyState.objects.create(
        name="conversations", retention_days=29, changed_by=EVIL[:150], changed_at=make.ago(hours=1)
    )
    make.run(
        "stats", status="failed", error=EVIL, traceback=EVIL, requested_by=EVIL[:150],
        approved_by=EVIL[:150], consumer=make.consumer(host=EVIL[:100]),
    )  # fmt: skip
    plan = make.run("conversations", dry_run=True, requested_by=EVIL[:150])
    execution.execute(execution.claim(plan.pk, 0))
    return user


def pages(user):
    evil_run, plan = (user_run.pk for user_run in Run.objects.order_by("requested_at"))
    return [
        "/scheduler-admin",
        "/scheduler-admin/runs",
        "/scheduler-admin/trends",
        f"/scheduler-admin/tables?until={EVIL}&sort={EVIL}",
        f"/scheduler-admin/tables/chat_user?column={EVIL}&days={EVIL}",
        "/scheduler-admin/holds",
        f"/scheduler-admin/runs/{evil_run}",
        f"/scheduler-admin/runs/{plan}",
        "/scheduler-admin/schedules/weekly_cleanup",
        f"/scheduler-admin/schedules/weekly_cleanup?trigger={EVIL}",
        "/scheduler-admin/policies/conversations",
        "/scheduler-admin/policies/conversations/preview",
        f"/scheduler-admin/policies/conversations?retention_days={EVIL}",
        f"/sign-in?next={EVIL}",
        f"/{EVIL}",
    ]


def test_no_page_takes_what_people_typed_for_its_own_markup(evil, client):
    client.force_login(evil)
    seen = 0

    for path in pages(evil):
        for headers in ({}, {"HX-Request": "true"}):
            page = Reader(client.get(path, headers=headers).content.decode())
            seen += len(page.evil)
            assert page.injected == [], path

    assert seen > 20


def test_htmx_looks_for_nothing_in_what_people_typed(evil, client):
    client.force_login(evil)

    for path in pages(evil):
        for headers in ({}, {"HX-Request": "true"}):
            page = Reader(client.get(path, headers=headers).content.decode())
            assert [one for one in page.evil if not one[2]] == [], path


def test_django_s_admin_shows_it_as_text_as_well(evil, client):
    client.force_login(evil)
    rows = {"chat/conversation": evil.conversations.get().pk, "chat/user": evil.pk}
    rows["housekeeping/hold"] = Hold.objects.get().pk

    for model, pk in rows.items():
        for path in (f"/admin/{model}/", f"/admin/{model}/?q={EVIL}", f"/admin/{model}/{pk}/change/"):
            page = Reader(client.get(path).content.decode())
            assert page.injected == [], path
            assert "evil" in str(page.texts) + str(page.attributes), path


def test_the_pages_of_somebody_who_has_not_signed_in_show_it_as_text(client):
    answers = [
        client.post("/sign-in", {"username": EVIL, "password": "x"}),
        client.post("/admin/login/", {"username": EVIL, "password": "x"}),
        client.get("/admin/login/", {"next": EVIL}),
    ]

    for answer in answers:
        assert Reader(answer.content.decode()).injected == []


def test_the_page_that_verifies_shows_a_name_as_text(client):
    visitor = make.visitor(username=EVIL[:150])

    answer = client.post(f"/verify/{accounts.verification_token(visitor)}")

    page = Reader(answer.content.decode())
    assert page.injected == []
    assert page.evil
    assert all(ignored for _, _, ignored in page.evil)


def test_json_is_never_taken_for_a_page(evil, api):
    [failed] = Run.objects.filter(status="failed")

    answer = api.get(f"/api/admin/scheduler/results/{failed.pk}")

    assert answer["Content-Type"] == "application/json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert json.loads(answer.content)["error"] == EVIL


def test_the_mail_of_a_registration_is_plain_text_with_one_recipient(client, mailoutbox):
    body = {
        "username": "ada",
        "email": "ada@example.com\nbcc: all@example.com",
        "password": "correct horse 9",
    }

    refused = client.post("/api/register", body, "application/json")

    assert refused.status_code == 400
    assert (mailoutbox, User.objects.count()) == ([], 0)
