"""The pages of erasures: preview, typed confirmation, certificate."""

import re

import pytest

from chat.models import User
from housekeeping.erasure import people, requests, work
from housekeeping.models import Act, Erasure, Hold
from tests import make
from tests.visitors import account

ERASURES = "/scheduler-admin/erasures"
pytestmark = pytest.mark.django_db


@pytest.fixture
def grace():
    return make.user(username="grace", email="grace@example.com")


def answer_in(page):
    return re.search('name="answer" value="([^"]+)"', page.content.decode())[1]


def test_a_preview_shows_the_rows_and_asks_for_the_name(dashboard, grace):
    make.conversation(user=grace, messages=2)

    page = dashboard.post(f"{ERASURES}/begin", {"account": "grace@example.com"})

    assert page.status_code == 200
    text = page.content.decode()
    assert "Erase “grace” for good?" in text
    assert "<dt>chat messages</dt><dd>2</dd>" in text
    assert f"<dt>Key</dt><dd>{grace.pk}</dd>" in text
    assert "<dt>Mail address</dt><dd>grace@example.com</dd>" in text
    assert "Type <code>grace</code> to confirm" in text
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(("typed", "status"), [("grace", 302), (" GRACE ", 302), ("ada", 422), ("", 422)])
def test_only_the_typed_name_begins_it(dashboard, grace, typed, status):
    asked = dashboard.post(f"{ERASURES}/begin", {"account": "grace"})
    body = {"account": "grace", "answer": answer_in(asked), "typed": typed}

    page = dashboard.post(f"{ERASURES}/begin", body)

    assert page.status_code == status
    assert Erasure.objects.exists() == (status == 302)
    assert Act.objects.filter(what="erase").exists() == (status == 302)


def test_the_answer_of_one_person_erases_no_other(dashboard, grace):
    make.user(username="bob")
    asked = dashboard.post(f"{ERASURES}/begin", {"account": "bob"})

    for typed in ("bob", "grace"):
        body = {"account": "grace", "answer": answer_in(asked), "typed": typed}
        assert dashboard.post(f"{ERASURES}/begin", body).status_code == 409
    assert not Erasure.objects.exists()


def test_a_hold_that_is_made_meanwhile_is_told(dashboard, grace):
    asked = dashboard.post(f"{ERASURES}/begin", {"account": "grace"})
    Hold.objects.create(model="chat.User", key=grace.pk, reason="a dispute")

    body = {"account": "grace", "answer": answer_in(asked), "typed": "grace"}
    page = dashboard.post(f"{ERASURES}/begin", body)

    assert page.status_code == 409
    assert "a dispute" in page.content.decode()
    assert not Erasure.objects.exists()


@pytest.mark.parametrize("who", ["nobody", "<script>", ""])
def test_who_is_not_there_is_told_beside_the_field(dashboard, who):
    page = dashboard.post(f"{ERASURES}/begin", {"account": who})

    assert page.status_code == 400
    assert "There is no account" in page.content.decode()
    assert "<script>'" not in page.content.decode()


def test_a_configurer_does_not_erase_a_superuser(client, grace):
    User.objects.filter(pk=grace.pk).update(is_superuser=True)
    client.force_login(account("view_run", "configure"))

    page = client.post(f"{ERASURES}/begin", {"account": "grace"})

    assert page.status_code == 403
    assert "Only a superuser may erase a superuser." in page.content.decode()


def test_a_viewer_sees_certificates_and_no_form(client, viewer):
    erasure = Erasure.objects.create(pseudonym="erased-1", requested_at=make.ago(), state="finished")
    client.force_login(viewer)

    assert "erase-form" not in client.get(ERASURES).content.decode()
    assert client.get(f"{ERASURES}/{erasure.pk}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_page_shows_the_certificate_and_offers_it_as_json(dashboard, grace):
    make.message(content="Ask grace@example.com")
    erasure = work.carry_out(requests.store(people.find("grace"), by=make.ADA))

    page = dashboard.get(f"{ERASURES}/{erasure.pk}").content.decode()

    assert erasure.digest in page
    assert "<dt>chat.User</dt><dd>1</dd>" in page
    assert "<dt>chat.ChatMessage.content</dt><dd>1</dd>" in page
    assert "Backups of the database" in page
    assert "hx-get" not in page[page.index("<article") : page.index("</article")]
    file = dashboard.get(f"{ERASURES}/{erasure.pk}/certificate.json")
    assert file.json() == {"certificate": erasure.certificate, "sha256": erasure.digest}
    assert "grace" not in page


def test_one_that_waits_without_a_consumer_names_the_command(dashboard, grace):
    erasure = requests.store(people.find("grace"))
    Erasure.objects.filter(pk=erasure.pk).update(requested_at=make.ago(seconds=30))

    page = dashboard.get(f"{ERASURES}/{erasure.pk}")

    assert "run_housekeeping --task erasures" in page.content.decode()
    make.consumer()
    assert "run_housekeeping" not in dashboard.get(f"{ERASURES}/{erasure.pk}").content.decode()


def test_a_poll_that_finds_nothing_new_is_a_304(dashboard, grace):
    erasure = requests.store(people.find("grace"))
    headers = {"HX-Request": "true"}
    tag = dashboard.get(f"{ERASURES}/{erasure.pk}", headers=headers)["HX-PTag"]

    assert dashboard.get(f"{ERASURES}/{erasure.pk}", headers=headers | {"HX-PTag": tag}).status_code == 304


def test_the_history_leads_to_the_erasure(dashboard, grace):
    erasure = requests.store(people.find("grace"), by=make.ADA)

    page = dashboard.get("/scheduler-admin/history").content.decode()

    assert f'href="{ERASURES}/{erasure.pk}"' in page
    assert "erasure requested" in page
