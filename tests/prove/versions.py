"""Two versions of the site on one database and one queue, each as an operator uses it."""

import json
import re
import sqlite3
import urllib.error
import urllib.request

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.processes import Processes
from tests.services import wait_until

PASSWORD = "correct horse battery staple"
# What a running consumer or site changes by itself.
IN_MOTION = ("consumer", "schedulestate", "gauge", "logline")
ACCOUNTS = f"""
from datetime import timedelta
from django.utils import timezone
from chat.models import User
User.objects.create_superuser("ada", "ada@example.com", {PASSWORD!r}, email_verified_at=timezone.now())
for number in range(30):
    joined = timezone.now() - timedelta(days=20)
    User.objects.create_user(f"visitor{{number}}", f"visitor{{number}}@example.com", is_active=False,
                             date_joined=joined)
"""
CONVERSATIONS = r"""
from datetime import timedelta
from django.utils import timezone
from chat.models import ChatMessage, Conversation, User
ada = User.objects.get(username="ada")
for age in [*range(31, 71), *range(20)]:
    created = timezone.now() - timedelta(days=age)
    made = Conversation.objects.create(user=ada, title=f"Tab \t, line \n, \\N of {age}", created_at=created)
    for number in range(3):
        fields = {"role": "user", "content": f"Grüße {number}", "created_at": created}
        ChatMessage.objects.create(conversation=made, **fields)
for number in range(9):
    ChatMessage.objects.create(role="user", content="Without a conversation")
"""


class Database:
    """The database that the versions share, read without either of them."""

    def __init__(self, url):
        self.url, self.is_sqlite = url, url.startswith("sqlite")

    def execute(self, sql):
        """The rows that the statement returns, each as a dictionary."""
        if self.is_sqlite:
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20)
            connection.row_factory = sqlite3.Row
        else:
            connection = psycopg.connect(self.url, row_factory=dict_row)
        try:
            with connection:
                done = connection.execute(sql)
                return [dict(row) for row in done] if done.description else []
        finally:
            connection.close()

    def count(self, table, where="1 = 1"):
        return self.execute(f"SELECT count(*) AS rows FROM {table} WHERE {where}")[0]["rows"]

    def rows(self):
        """All rows of the site and of housekeeping by table and key, save those in motion."""
        names = (
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            if self.is_sqlite
            else "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        tables = [row["name"] for row in self.execute(names)]
        ours = [
            name for name in tables if name.startswith(("chat_", "housekeeping_")) and "user_" not in name
        ]
        return {
            (name, row[next(iter(row))]): row
            for name in ours
            if not name.endswith(IN_MOTION)
            for row in self.execute(f"SELECT * FROM {name}")
        }

    def run(self, run_id):
        key = run_id.replace("-", "") if self.is_sqlite else run_id
        return self.execute(f"SELECT * FROM housekeeping_run WHERE id = '{key}'")[0]

    def make_due(self, schedule):
        # Without parts of a second: SQLite compares moments as Django has written them.
        now = "datetime('now')" if self.is_sqlite else "date_trunc('second', now())"
        self.execute(f"UPDATE housekeeping_schedulestate SET next_fire_at = {now} WHERE id = '{schedule}'")


class Version:
    """One version of the site: its commands, its consumer, its API."""

    def __init__(self, installed, folder, environment):
        folder.mkdir()
        self.processes = Processes(folder, installed, **environment)
        self.database = Database(environment["DATABASE_URL"])
        self.token = ""

    # --- Its processes --------------------------------------------------------------------------

    def start(self):
        self.consumer = self.processes.consumer()
        self.site, self.address = self.processes.site("--noreload")
        self.token = self.post("/api/token", username="ada", password=PASSWORD)["access"]

    def stop_consumer(self):
        self.consumer.signal(15)
        assert self.consumer.wait() == 0, self.consumer.output

    def stop(self):
        self.stop_consumer()
        self.site.kill()

    def complaints(self):
        """Whatever any of its processes has logged as an error."""
        logs = "\n".join(process.output for process in self.processes.started)
        return re.findall(r"^\[(?:ERROR|CRITICAL)\].*|^Traceback.*", logs, re.MULTILINE)

    # --- Its API --------------------------------------------------------------------------------

    def get(self, path):
        return self._ask(urllib.request.Request(self.address + path))

    def post(self, path, **body):
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self.address + path, json.dumps(body).encode(), headers))

    def _ask(self, request):
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            pytest.fail(f"{request.full_url}: {error.code} {error.read().decode()}")

    def trigger(self, task, **options):
        return self.post("/api/admin/scheduler/trigger", task=task, **{"wait": 30} | options)["run"]

    def act(self, what, run_id):
        return self.post(f"/api/admin/scheduler/runs/{run_id}/{what}")["run"]["id"]

    def shows_everything(self):
        for name in ("status", "statistics", "runs", "schedules", "policies", "consumers", "holds", "acts"):
            assert self.get(f"/api/admin/scheduler/{name}")
        for run in self.get("/api/admin/scheduler/runs")["results"]:
            assert self.get(f"/api/admin/scheduler/runs/{run['id']}/receipt")["run"] == run["id"]

    # --- Its work -------------------------------------------------------------------------------

    def leave_behind(self):
        """What an operator may have under way as versions change: a purge that can be undone, a
        held run and a plan. Returns their ids."""
        self.processes.shell(CONVERSATIONS)
        purged = self.trigger("conversations")
        assert purged["status"] == "succeeded", purged
        brake = {"HOUSEKEEPING_BRAKE_SHARE": "0.01", "HOUSEKEEPING_BRAKE_ROWS": "1"}
        out = self.processes.command("run_housekeeping", "--task", "users", exit=3, **brake)
        assert "held" in out
        held = self.get("/api/admin/scheduler/runs?status=held")["results"][0]
        plan = self.trigger("messages", dry_run=True)
        return {"purged": purged["id"], "held": held["id"], "plan": plan["id"]}

    def finish(self, left):
        """Go on with what the other version has left: undo its purge, approve, carry out its plan."""
        conversations = self.database.count("chat_conversation")
        self.wait_for(self.act("undo", left["purged"]))
        assert self.database.count("chat_conversation") == conversations + 40
        self.wait_for(self.act("approve", left["held"]))
        assert self.database.count("chat_user", "username LIKE 'visitor%'") == 0
        carried_out = self.trigger("messages", plan=left["plan"])
        assert carried_out["result"] == {"cleaned_messages": 9}

    def wait_for(self, run_id):
        ended = ("succeeded", "failed", "cancelled")
        wait_until(lambda: self.database.run(run_id)["status"] in ended, what=f"the end of run {run_id}")
        assert self.database.run(run_id)["status"] == "succeeded", self.database.run(run_id)

    def open_a_due_schedule(self):
        done = "schedule = 'statistics_generation' AND status = 'succeeded'"
        before = self.database.count("housekeeping_run", done)
        self.database.make_due("statistics_generation")
        wait_until(lambda: self.database.count("housekeeping_run", done) > before, what="a scheduled run")
