"""A project with everything of its own (club/) installs housekeeping as the contract shows, and both work."""

import json
import re
import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest

from tests.hosts.browser import Browser
from tests.processes import ROOT, Installed, Processes
from tests.services import wait_until
from tests.visitors import confirm

CLUB = Path(__file__).parent / "club"
BOSS = f"{'b' * 241}@club.example"  # 254 characters
PASSWORD = "the biscuits are in the blue tin"
PREPARE = f"""
from datetime import timedelta
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.utils import timezone
from members.models import Member
from notes.models import Note, Stamp

call_command("migrate", verbosity=0)
boss = Member.objects.create_user({BOSS!r}, {PASSWORD!r}, is_superuser=True, is_staff=True)
clerk = Member.objects.create_user("clerk@club.example", {PASSWORD!r})
clerk.user_permissions.add(Permission.objects.get(codename="view_run"))
now = timezone.now()
notes = Note.objects.bulk_create(
    Note(author=boss, text="!", written_at=now - timedelta(days=199.5 - n)) for n in range(200)
)
Stamp.objects.bulk_create(Stamp(note=note, colour="red") for note in notes)
"""

# Where nothing depends on the database, or only SQLite locks all of it.
ON_SQLITE = pytest.mark.parametrize("club", ["sqlite"], indirect=True)


class Club:
    """The project at work on one database: its site and a consumer, each a process."""

    def __init__(self, folder, database):
        self.folder = folder
        self.processes = Processes(
            folder,
            Installed(CLUB),
            CLUB_FOLDER=str(folder),
            CLUB_DATABASE=database,
            PYTHONPATH=str(ROOT),
            DJANGO_SETTINGS_MODULE="club.settings",
        )
        self.processes.shell(PREPARE)

    def start(self):
        self.consumer = self.processes.start("run_huey")
        self.site, self.url = self.processes.site("--noreload")
        self.consumer.says("Huey consumer started")
        self.boss = self.visitor(BOSS)

    def visitor(self, email=None):
        browser = Browser(self.url)
        # With Django's plain SQLite and ATOMIC_REQUESTS, the club's own sign-in fails beside any writer.
        inside = f"{self.url}/dashboard"
        wait_until(lambda: not email or browser.enter(email, PASSWORD).url == inside, what="the sign-in")
        return browser

    def undo(self, run):
        """Undo the run at this address, and let the policies have its rows again."""
        undo = self.boss.post(f"{run}/undo").url
        wait_until(lambda: self.status(undo) == "succeeded", what="the undo")
        confirm(self.boss, f"{undo}/holds/end")

    def status(self, run):
        """What the run's page says of the run itself, above the badges of related runs."""
        return re.search(r'class="badge" data-status="(\w+)"', self.boss.get(run).text)[1]

    def notes(self):
        return int(self.visitor().get("/api/").text.split()[0])

    def mails(self):
        return "".join(path.read_text() for path in (self.folder / "mail").glob("*"))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def club(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"club-{request.param}")
    database = f"sqlite://{folder}/db.sqlite3"
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_url")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE club")
        database = f"{server.rpartition('/')[0]}/club"
    used = Club(folder, database)
    try:
        used.start()
        yield used
    finally:
        used.processes.end()


@pytest.fixture
def boss(club):
    return club.boss


# --- The command line -------------------------------------------------------------------------


@ON_SQLITE
def test_check_names_nothing_but_celery_s_file(club):
    said = club.processes.command("check")

    assert re.findall(r"\((\w+\.\w+)\) (\S+)", said) == [("housekeeping.W002", "letters.tasks")]


@ON_SQLITE
def test_the_command_previews_what_would_go(club):
    said = club.processes.command("run_housekeeping", "--task", "old_notes", "--dry-run")

    assert "deleted notes: 170" in said
    assert club.notes() == 200


# --- The host's own is untouched --------------------------------------------------------------


def test_the_club_s_pages_are_its_own(club):
    visitor = club.visitor()

    assert "Welcome to the club." in visitor.get("/").text
    assert "The club's dashboard: 200 notes" in visitor.get("/dashboard").text
    assert visitor.get("/housekeeping/").url.startswith(f"{club.url}/enter?next=/housekeeping/")
    assert club.boss.get("/admin/").status == 200


def test_the_club_s_api_keeps_its_own_rules(club):
    visitor = club.visitor()

    count, secret, lost = (visitor.get(f"/api/{name}") for name in ("", "secret", "nowhere"))

    assert (count.status, count.text, count.kind) == (200, "200 NOTES", "text/plain; charset=utf-8")
    assert (secret.status, secret.text) == (418, "NO IDEA")
    assert lost.status == 404
    assert "<title>Page not found" in lost.text


def test_the_club_s_own_huey_tasks_run_beside_ours(club):
    assert club.visitor().get("/whisper?text=psst").text == "Whispered."

    def bells():
        return club.visitor().get("/bells").text

    wait_until(lambda: "psst" in bells() and "It is " in bells(), what="both of the club's tasks")


# --- The dashboard ----------------------------------------------------------------------------

THINGS = ["schedules/nightly_notes", "policies/old_notes"]
PAGES = ["", "runs", "trends", "holds", "history", "settings", "consumers", *THINGS]


@pytest.mark.parametrize("page", PAGES)
def test_each_page_is_alive(club, boss, page):
    shown = boss.get(f"/housekeeping/{page}")

    files = [name for name in shown.addresses("src", "href") if name.startswith("/assets/")]
    acts = shown.addresses("action", "formaction", "hx-post", "hx-get")
    assert shown.status == 200
    assert 'class="club"' not in shown.text
    assert {boss.get(name).status for name in files} == {200}
    assert any("htmx" in name for name in files)
    assert any(name.endswith("housekeeping/js/site.js") for name in files)
    assert [address for address in acts if not address.startswith(("/housekeeping/", "?"))] == []


def test_who_may_only_see_starts_nothing(club):
    clerk = club.visitor("clerk@club.example")

    assert clerk.get("/housekeeping/").status == 200
    assert clerk.post("/housekeeping/tasks/old_notes/trigger").status == 403


def test_a_purge_is_held_approved_carried_out_and_undone(club, boss):
    overview = confirm(boss, "/housekeeping/tasks/old_notes/trigger")
    run = re.search(r"/housekeeping/runs/[0-9a-f-]{36}", overview.text)[0]
    wait_until(lambda: "held for approval" in boss.get(run).text, what="the brake")
    wait_until(lambda: "old_notes is held for approval" in club.mails(), what="a mail")
    assert "To: secretary@club.example" in club.mails()

    confirm(boss, f"{run}/approve")
    wait_until(lambda: club.notes() == 30, what="the purge")
    wait_until(lambda: f"{run}/undo" in boss.get(run).text, what="its end")

    club.undo(run)
    assert club.notes() == 200
    assert BOSS in boss.get("/housekeeping/history").text


# --- The API ----------------------------------------------------------------------------------


def test_the_api_answers_by_our_rules_to_whom_the_club_s_authentication_lets_in(club, boss):
    status = boss.get("/housekeeping/api/status", Accept="text/plain, application/json")
    forbidden = club.visitor("clerk@club.example").post_json("/housekeeping/api/trigger", '{"task": "stats"}')
    stranger = club.visitor().get("/housekeeping/api/status")
    refused = boss.post_json("/housekeeping/api/trigger", '{"task": "dishes"}')

    assert (status.status, status.kind) == (200, "application/json")
    assert [job["id"] for job in json.loads(status.text)["jobs"]] == ["nightly_notes"]
    assert (forbidden.status, json.loads(forbidden.text)["code"]) == (403, "permission_denied")
    assert (stranger.status, json.loads(stranger.text)["code"]) == (403, "not_authenticated")
    assert (refused.status, list(json.loads(refused.text)["fields"])) == (400, ["task"])


def test_a_run_ends_while_a_request_waits_for_it(club, boss):
    asked = '{"task": "old_notes", "dry_run": true, "wait": 30}'

    done = boss.post_json("/housekeeping/api/trigger", asked)

    answer = json.loads(done.text)
    assert (done.status, answer["result"]) == (200, {"deleted_notes": 170})
    assert answer["run"]["requested_by"] == BOSS
    assert answer["run"]["url"].startswith("/housekeeping/api/")


def test_the_api_is_described_with_what_the_club_declares(boss, club):
    described = boss.get("/housekeeping/api/schema").text

    schemas = json.loads(described)["components"]["schemas"]
    assert list(schemas["Statistics"]["properties"]) == ["notes"]
    assert '"task":"old_notes"' in described.replace(" ", "")
    assert '"model":"notes.Note"' in described.replace(" ", "")
    assert not re.search(r"(?i)chat|conversation|five numbers", described)


def test_what_the_club_counts_is_in_the_api(boss, club):
    figures = boss.get("/housekeeping/api/statistics")

    assert json.loads(figures.text) == {"notes": 200}


# --- Probes and metrics -----------------------------------------------------------------------


def test_the_club_is_ready_and_measured(club):
    visitor = club.visitor()

    ready, metrics = visitor.get("/readyz"), visitor.get("/metrics")

    assert (ready.status, json.loads(ready.text)["database"]) == (200, "ok")
    assert 'housekeeping_site{figure="notes"}' in metrics.text


# --- Django's plain SQLite --------------------------------------------------------------------


@pytest.fixture
def busy_writer(club):
    """Somebody who keeps the club's SQLite locked most of the time."""
    is_over = threading.Event()

    def write():
        other = sqlite3.connect(club.folder / "db.sqlite3", timeout=20, isolation_level=None)
        while not is_over.is_set():
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE notes_bell SET text = text")
            is_over.wait(0.05)
            other.execute("COMMIT")
            is_over.wait(0.005)
        other.close()

    thread = threading.Thread(target=write)
    thread.start()
    yield
    is_over.set()
    thread.join()


@ON_SQLITE
def test_a_purge_and_an_undo_get_their_turn_beside_a_busy_writer(club, busy_writer):
    said = club.processes.command("run_housekeeping", "--task", "old_notes", "--yes")
    assert "deleted notes: 170" in said

    club.undo("/housekeeping/runs/" + re.search(r"Run (\S+) succeeded", said)[1])
    assert club.notes() == 200
    assert "locked" not in said + club.consumer.output


# --- Hashed static files ----------------------------------------------------------------------


@ON_SQLITE
def test_with_debug_off_files_are_hashed_and_errors_are_the_club_s(club):
    club.processes.command("collectstatic", "--noinput")
    site, url = club.processes.site("--noreload", CLUB_DEBUG="false")
    boss = Browser(url)
    boss.enter(BOSS, PASSWORD)

    shown, lost = boss.get("/housekeeping/"), boss.get("/nowhere")

    files = [name for name in shown.addresses("src", "href") if name.startswith("/assets/")]
    assert [name for name in files if not re.search(r"\.[0-9a-f]{12}\.\w+$", name)] == []
    assert {boss.get(name).status for name in files} == {200}
    assert (lost.status, "No such room in the club." in lost.text) == (404, True)
    site.kill()
