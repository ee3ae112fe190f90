"""The pages in German; what is no page stays English."""

import json
import re
from html.parser import HTMLParser

import pytest
from django.utils import translation

from housekeeping import registry
from housekeeping.dashboard import wording
from housekeeping.registry import TASKS
from housekeeping.triggers import parse
from tests import make
from tests.browser import world
from tests.faces.conftest import account

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
    texts = [text.strip() for text in Words(html).words]
    return [text for text in texts if text not in names and ENGLISH.search(text)]


@pytest.fixture
def made(transactional_db):
    return world.a_night()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (world.HOME, ["Aufgaben", "Zeitpläne", "Richtlinien", "um 02:00", "alle 6 Stunden"]),
        (f"{world.HOME}/runs", ["Läufe", "Status", "Ursache", "Probelauf", "läuft"]),
        (f"{world.HOME}/history", ["Verlauf", "Handlung|pausiert", "Vorher und nachher"]),
        (f"{world.HOME}/trends", ["Trends", "Läufe nach Ausgang, pro Tag", "30 Tage"]),
        (f"{world.HOME}/holds", ["Sperren", "Eine Zeile erhalten", "Durch Rückgängig wiederhergestellt"]),
        (f"{world.HOME}/schedules/weekly_cleanup", ["Sonntag um 03:00", "Die nächsten Fälligkeiten"]),
        (f"{world.HOME}/policies/conversations/preview", ["Was jetzt gelöscht würde", "30 Tage"]),
        (f"{world.HOME}/policies/conversations?retention_days=10", ["mehr als bei 30"]),
        ("/password", ["Passwort ändern"]),
        ("/verify/nope", ["Mailadresse bestätigen"]),
        ("/nothing", ["Hier ist nichts"]),
    ],
)  # fmt: skip
def test_a_page_is_german_throughout(path, words, made, dashboard):
    answer = dashboard.get(path, headers=GERMAN)

    assert '<html lang="de" dir="ltr">' in answer.text
    for word in words:
        assert re.search(word, answer.text), word
    assert english_in(answer.text) == []


@pytest.mark.parametrize("kind", ["purged", "plan", "undo", "failed", "running", "held"])
def test_the_page_of_a_run_is_german_throughout(kind, made, dashboard):
    answer = dashboard.get(f"{world.HOME}/runs/{made[kind].pk}", headers=GERMAN)

    assert "Angefordert" in answer.text
    assert english_in(answer.text) == []


def test_an_empty_site_is_german_too(dashboard):
    for page in ("", "/runs", "/history", "/trends", "/holds"):
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
