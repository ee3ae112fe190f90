"""The pages in German; what is no page stays English."""

import html
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pytest
from django.utils import timezone, translation

from housekeeping.dashboard import wording
from housekeeping.declared import registry
from housekeeping.declared.registry import TASKS
from housekeeping.declared.triggers import parse
from housekeeping.models import Act, Hold, Run
from housekeeping.reading import words
from tests import make
from tests.browser import world
from tests.make import days
from tests.processes import ROOT
from tests.test_project import SHIPPED
from tests.visitors import account

pytestmark = pytest.mark.django_db

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
# Common in English and no words of German. What others wrote or declared is left out (hx-ignore, code).
ENGLISH = re.compile(
    r"""\b(the|of|and|to|is|are|it|its|this|that|with|from|by|on|at|for|not|no|be|been|has|have|were|would
    |nothing|none|all|any|each|last|next|now|runs?|tasks?|rows?|days?|since|until|when|what|who|where|which
    |how|show|keep|kept|deleted?|changed?|save|reset|paused|failed|succeeded|held|queued|running|missed
    |cancel|cancelled|waits|waiting|started|finished|requested|schedules?|policy|policies|history|overview
    |holds|sign|out|retry|approve|undo|every|ago|left|second)\b""",
    re.VERBOSE | re.IGNORECASE,
)


class Words(HTMLParser):
    """The words that a page shows or reads out."""

    VOID = {"meta", "link", "input", "img", "br", "line", "rect", "path", "polyline"}
    SPOKEN = (
        "aria-label",
        "placeholder",
        "title",
        "data-label",
        "data-confirm",
        "data-confirm-button",
        "alt",
    )

    def __init__(self, text):
        super().__init__()
        self.skipped, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        if tag in self.VOID:
            pass
        elif self.skipped or tag in ("script", "code", "pre", "style") or "hx-ignore" in facts:
            self.skipped.append(tag)
        if not self.skipped or tag in self.VOID:
            self.words += [facts[name] for name in self.SPOKEN if facts.get(name)]

    def handle_endtag(self, tag):
        if self.skipped and self.skipped[-1] == tag:
            self.skipped.pop()

    def handle_data(self, data):
        if not self.skipped:
            self.words.append(data)


def english_in(html):
    names = {*TASKS, *registry.policies()}  # the same in every language
    # A task that a site has added appears as it is written, also behind words of ours.
    added = [task for name, task in TASKS.items() if name not in SHIPPED]
    schedules = [one for one in registry.SCHEDULES.values() if one.task in added]
    theirs = [text for task in added for text in (task.title, task.description, task.done)]
    theirs += [text for one in schedules for text in (one.id, one.name, one.label)]
    texts = [text.strip() for text in Words(html).words]
    return [
        text
        for text in texts
        if text not in names and not text.endswith(tuple(theirs)) and ENGLISH.search(_without_terms(text))
    ]


def _without_terms(text):
    """``text`` without an English term that German operators use, too."""
    return re.sub("Dry-Runs?|flat-out", "", text)


@pytest.fixture
def made(transactional_db):
    return world.a_night()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (world.HOME, ["Aufgaben", "Fällig", "um 02:00", "alle 6 Stunden"]),
        (f"{world.HOME}/tasks/conversations", ["Zeitpläne", "Richtlinien", "30 Tage", "Dry-Run"]),
        (f"{world.HOME}/runs", ["Läufe", "Status", "Ursache", "Dry-Run", "läuft"]),
        (f"{world.HOME}/history", ["Verlauf", "Aktion|pausiert", "Vorher und nachher"]),
        (f"{world.HOME}/trends", ["Trends", "Läufe nach Ausgang, pro Tag", "30 Tage"]),
        (f"{world.HOME}/consumers", ["Consumer", "Worker", "Batch", "seit|Seit"]),
        (f"{world.HOME}/settings", ["Einstellungen", "Herkunft", "Wie oft ein Consumer"]),
        (f"{world.HOME}/tables?until=1GB", ["Was wächst", "Tage bis 1", "keine Richtlinie", "kein Model"]),
        (f"{world.HOME}/tables?until=nope", ["Bitte eine Größe wie 500"]),
        (f"{world.HOME}/tables/chat_conversation", ["Alter der Zeilen", "Eine Richtlinie dafür schreiben"]),
        (f"{world.HOME}/tables/django_migrations", ["Kein Model dieses Projekts"]),
        (f"{world.HOME}/holds", ["Sperren", "Eine Zeile sperren", "Durch Rückgängig wiederhergestellt"]),
        (f"{world.HOME}/schedules/weekly_cleanup", ["Sonntag um 03:00", "Die nächsten Fälligkeiten"]),
        (f"{world.HOME}/policies/conversations/preview", ["Was jetzt gelöscht würde", "30 Tage"]),
        (f"{world.HOME}/policies/conversations?retention_days=10", ["mehr als bei 30"]),
        ("/password", ["Passwort ändern"]),
        ("/verify/nope", ["Mailadresse bestätigen"]),
        ("/nothing", ["Seite nicht gefunden"]),
    ],
)  # fmt: skip
def test_a_page_is_german_throughout(path, words, made, dashboard):
    answer = dashboard.get(path, headers=GERMAN)

    assert '<html lang="de" dir="ltr"' in answer.text
    for word in words:
        assert re.search(word, answer.text), word
    assert english_in(answer.text) == []


def test_why_expired_rows_stay_is_said_in_german(made, dashboard):
    conversation = make.conversation(age=days(50))
    Hold.objects.create(
        model="chat.Conversation", key=str(conversation.pk), reason="Ein Streit", made_by="ada"
    )

    answer = dashboard.get(f"{world.HOME}/policies/conversations/preview", headers=GERMAN)

    assert "Übersprungen (gesperrt)" in answer.text
    assert english_in(answer.text) == []


@pytest.mark.parametrize("kind", ["purged", "plan", "undo", "failed", "running", "held"])
def test_the_page_of_a_run_is_german_throughout(kind, made, dashboard):
    answer = dashboard.get(f"{world.HOME}/runs/{made[kind].pk}", headers=GERMAN)

    assert "Angefordert" in answer.text
    assert english_in(answer.text) == []


def test_an_empty_site_is_german_too(dashboard):
    for page in world.LISTS:
        assert english_in(dashboard.get(world.HOME + page, headers=GERMAN).text) == []


def test_the_sign_in_page_is_german(client):
    answer = client.post("/sign-in", {"username": "ada", "password": "wrong"}, headers=GERMAN)

    assert "Anmelden" in answer.text
    assert english_in(answer.text) == []


def test_who_lacks_the_right_is_told_so_in_german(client):
    client.force_login(account())

    assert "Das ist nicht erlaubt" in client.get(world.HOME, headers=GERMAN).text


def test_numbers_are_written_as_in_germany(dashboard):
    run = make.run("stats", status="succeeded", result={"counted": 1234567})

    assert "1.234.567" in dashboard.get(f"{world.HOME}/runs/{run.pk}", headers=GERMAN).text
    assert "1,234,567" in dashboard.get(f"{world.HOME}/runs/{run.pk}").text


def test_another_language_gets_english(dashboard):
    assert '<html lang="en-gb"' in dashboard.get(world.HOME, headers={"Accept-Language": "fr, nl"}).text


def test_the_api_answers_in_english_whoever_asks(api):
    refused = api.post("/api/admin/scheduler/trigger", {"task": 7}, headers=GERMAN)
    strange = api.get("/api/admin/scheduler/runs?status=nope", headers=GERMAN)
    unsigned = api.post("/api/token", {}, headers=GERMAN)

    for answer in (refused, strange, unsigned):
        assert not re.search("[äöüß]|Feld|gültig", json.dumps(answer.json(), ensure_ascii=False))


API = "/api/admin/scheduler"


@pytest.mark.parametrize(
    ("status", "act", "german", "english"),
    [
        (
            "succeeded",
            "cancel",
            "Dieser Lauf ist schon zu Ende: erfolgreich.",
            "This run has already ended: succeeded.",
        ),
        (
            "running",
            "retry",
            "Status dieses Laufs: läuft. Nur fehlgeschlagene,",
            "This run is running. Only runs that failed, were cancelled or were missed can be retried.",
        ),
        (
            "queued",
            "approve",
            "Status dieses Laufs: eingereiht. Nur angehaltene",
            "This run is queued. Only held runs can be approved.",
        ),
        (
            "held",
            "undo",
            "Dieser Lauf ist angehalten und hat nichts gelöscht;",
            "This run is held and has deleted nothing; cancel it instead.",
        ),
    ],
)
def test_what_is_refused_to_a_run_is_german_on_pages_alone(dashboard, api, status, act, german, english):
    run = make.run(status=status)

    page = dashboard.post(f"{world.HOME}/runs/{run.pk}/{act}", follow=True, headers=GERMAN)
    answer = api.post(f"{API}/runs/{run.pk}/{act}", headers=GERMAN)

    assert german in page.text
    assert answer.json()["message"] == english


@pytest.mark.parametrize(
    ("page", "typed", "german"),
    [
        (
            "schedules/daily_housekeeping/change",
            {"trigger": "61 2 * * *"},
            "'61 2 * * *' ist kein Cron-Ausdruck: falsche Minute.",
        ),
        ("schedules/daily_housekeeping/change", {"trigger": "x"}, "Ein Auslöser besteht aus fünf Cron-"),
        ("policies/conversations/retention", {"retention_days": "0"}, "Bitte ganze Tage eingeben, von"),
        (
            "holds/add",
            {"model": "chat.User", "key": "0", "reason": "x"},
            "In chat.User gibt es keine Zeile mit dem Schlüssel '0'.",
        ),
        ("holds/add", {"model": "chat.User", "key": "0"}, "Bitte einen Grund für die Sperre angeben"),
        ("holds/add", {"model": "chat.User", "key": "0", "until": "x", "reason": "x"}, "'x' ist kein Datum"),
        ("runs/act", {"act": "cancel"}, "Bitte zuerst Läufe auswählen."),
    ],
)
def test_what_a_form_refuses_is_german(dashboard, page, typed, german):
    answer = dashboard.post(f"{world.HOME}/{page}", typed, follow=True, headers=GERMAN)

    assert german in html.unescape(answer.text)


@pytest.mark.parametrize(
    ("method", "path", "body", "english"),
    [
        (
            "patch",
            "schedules/daily_housekeeping",
            {"trigger": "61 2 * * *"},
            "'61 2 * * *' is not a cron expression: Bad minute.",
        ),
        ("patch", "policies/conversations", {"retention_days": 0}, "Enter whole days, from 1 to 36,500."),
        ("patch", "policies/messages", {"retention_days": 5}, "The policy 'messages' has no retention:"),
        ("post", "holds", {"model": "chat.User", "key": "0", "reason": " "}, "This field may not be blank."),
        (
            "post",
            "holds",
            {"model": "chat.User", "key": "0", "reason": "x"},
            "There is no chat.User with the",
        ),
        ("post", "holds", {"model": "x", "key": "0", "reason": "x"}, "No policy deletes from 'x'; choose"),
        ("get", "schedules/yearly", None, "There is no schedule 'yearly'; choose one of daily"),
    ],
)
def test_the_same_is_english_to_a_program(api, method, path, body, english):
    answer = getattr(api, method)(f"{API}/{path}", body, headers=GERMAN)

    assert english in json.dumps(answer.json(), ensure_ascii=False)


def test_a_page_says_in_german_how_what_was_asked_for_stands(dashboard, api, transactional_db):
    page = dashboard.post(f"{world.HOME}/tasks/stats/trigger", follow=True, headers=GERMAN)
    again = dashboard.post(f"{world.HOME}/tasks/stats/trigger", follow=True, headers=GERMAN)
    answer = api.post(f"{API}/trigger", {"task": "messages", "wait": 0}, headers=GERMAN)

    run = Run.objects.get(task="stats")
    assert "Statistik erstellen: wartet auf einen Consumer" in page.text
    assert f"Die Aufgabe 'stats' hat schon einen Lauf (eingereiht): {run.pk}." in html.unescape(again.text)
    assert answer.json()["message"] == "Cleanup orphaned messages: waiting for a consumer"


@pytest.mark.parametrize(
    ("fields", "german", "english"),
    [
        ({"status": "succeeded"}, "Alte Unterhaltungen gelöscht", "Old conversations deleted"),
        (
            {"status": "succeeded", "dry_run": True},
            "Alte Unterhaltungen löschen: ein Dry-Run, nichts wurde gelöscht",
            "Delete old conversations: a dry run, nothing was deleted",
        ),
        (
            {"status": "held"},
            "Alte Unterhaltungen löschen: angehalten, wartet auf Freigabe",
            "Delete old conversations: held for approval",
        ),
    ],
)
def test_how_a_run_stands_is_said_in_both_languages(fields, german, english):
    run = make.run(**fields)
    undo = make.run(status="succeeded", undo_of=run)

    assert words.message(run) == english
    assert words.message(undo) == "Undo of delete old conversations: rows restored"
    with translation.override("de"):
        assert words.message(run) == german
        undone = "Rückgängig-Lauf zu „Alte Unterhaltungen löschen“: Zeilen wiederhergestellt"
        assert words.message(undo) == undone


def test_that_the_queue_is_out_of_reach_is_said_in_german_and_kept_in_english(
    dashboard, transactional_db, unreachable_queue
):
    page = dashboard.post(f"{world.HOME}/tasks/stats/trigger", follow=True, headers=GERMAN)

    assert "Die Warteschlange ist nicht erreichbar" in page.text
    assert Act.objects.get().details["failed"].startswith("The queue can't be reached: ")


def test_a_bad_link_is_refused_in_german(client):
    answer = client.post("/verify/nope", headers=GERMAN)

    assert "Dieser Link ist ungültig." in answer.text


def test_a_bad_trigger_is_named_before_anything_can_be_translated():
    script = "from housekeeping.declared.triggers import Cron; Cron(hour=25)"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "site_config.settings"}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    assert "BadTrigger: '0 25 * * *' is not a cron expression: Bad hour." in done.stderr


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("0 2 * * *", "um 02:00"),
        ("30 14 * * mon-fri,sun", "Montag bis Freitag und Sonntag um 14:30"),
        ("*/5 * * * *", "nach Cron */5 * * * *"),
        ("06:00:00", "alle 6 Stunden"),
        ("1 00:00:00", "jeden Tag"),
        ("00:01:30", "alle 90 Sekunden"),
    ],
)
def test_a_trigger_reads_in_german_and_stays_english_in_the_log(trigger, words):
    with translation.override("de"):
        assert wording.described(parse(trigger)) == words
    assert wording.described(parse(trigger)) == parse(trigger).describe()


def test_dates_numbers_and_words_of_acts_are_german(dashboard):
    began = timezone.make_aware(datetime(2026, 11, 29, 20, 30))
    run = make.run("users", status="succeeded", started_at=began, finished_at=began + timedelta(seconds=6.3))
    origin = "dashboard from 127.0.0.1"
    change = {"before": {"status": "held"}, "after": {"status": "queued"}}
    for what, details in {"approve": change, "hold": {"model": "chat.User", "key": "8"}}.items():
        Act.objects.create(
            done_at=began, who="ada", what=what, target=str(run.pk), origin=origin, details=details
        )

    seen = html.unescape(
        re.sub(r"<[^>]*>", " ", dashboard.get(f"/scheduler-admin/runs/{run.pk}", headers=GERMAN).text)
    )
    seen = " ".join(seen.split())

    for expected in (
        "So., 29. Nov. 2026, 20:30:00 UTC",
        "Dauer 6,3 s",
        "von 127.0.0.1 (Dashboard)",
        "Status angehalten",
        "Modell chat.User",
        "Schlüssel 8",
    ):
        assert expected in seen
    page = dashboard.get("/scheduler-admin/runs", headers=GERMAN)
    assert "Ursache, Dry-Runs, Wer, Zeitraum" in page.text
