"""Alerts with real consumers and sites: all consumers killed, and receivers that fail for a while."""

import sqlite3
import threading
from datetime import timedelta
from functools import partial
from urllib.request import urlopen

import psycopg
import pytest

from tests import receivers, services
from tests.clocks import Clock
from tests.processes import Processes
from tests.services import wait_until

CHANNEL = """
from housekeeping.steering import channels
from housekeeping.journal.acts import Actor
channels.add({name!r}, {kind!r}, address={address!r}, by=Actor("ada", "a test"))
"""
FAIL = """
from housekeeping.journal.alerting.incidents import Condition, Kind, begin
begin(Condition(Kind.FAILED, "users", "OSError: the disk is full", "users"))
"""


class Site:
    """A database of its own, a receiver, and the processes of a site."""

    def __init__(self, url, folder, receiver, **environment):
        self.url, self.receiver, self.folder = url, receiver, folder
        places = {"DATABASE_URL": url, "HUEY_URL": f"sqlite:////{folder}/huey.sqlite3"}
        listed = {"HOUSEKEEPING_WEBHOOK_HOSTS": receiver.host, "HOUSEKEEPING_AUTOSTART": "false"}
        self.processes = Processes(folder, **(places | listed | environment))
        assert self.processes.start("migrate").wait(180) == 0

    def add_channel(self, name="pager", kind="webhook", address=""):
        address = address or f"{self.receiver.url}/in"
        self.processes.shell(CHANNEL.format(name=name, kind=kind, address=address))

    def do(self, sql):
        if self.url.startswith("postgres"):
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(sql)
            return
        with sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20) as connection:
            connection.execute(sql)

    def ask(self, sql):
        if self.url.startswith("postgres"):
            with psycopg.connect(self.url, autocommit=True) as connection:
                return connection.execute(sql).fetchall()
        with sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def receiver():
    with receivers.receiver() as server:
        yield server


@pytest.fixture
def make_site(tmp_path, receiver, request):
    made = []

    def make(database="sqlite", **environment):
        url = f"sqlite:////{str(tmp_path).lstrip('/')}/db.sqlite3"
        if database == "postgres":
            server = request.getfixturevalue("postgres_url")
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute("DROP DATABASE IF EXISTS alerts WITH (FORCE)")
                connection.execute("CREATE DATABASE alerts")
            url = server.rpartition("/")[0] + "/alerts"
        made.append(Site(url, tmp_path, receiver, **environment))
        return made[-1]

    yield make
    for site in made:
        site.processes.end()


class Visitors:
    """Ask the pages for their health, a few times a second, until the end of the test."""

    def __init__(self, *addresses):
        self.addresses, self.done = addresses, threading.Event()
        self.thread = threading.Thread(target=self._visit)

    def _visit(self):
        while not self.done.wait(0.3):
            for address in self.addresses:
                urlopen(f"{address}/healthz", timeout=10).close()

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *error):
        self.done.set()
        self.thread.join()


AN_HOUR_AGO = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour')",
    "postgres": "now() - interval '1 hour'",
}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_the_death_of_all_consumers_is_told_once_and_so_is_the_return_of_one(make_site, receiver, database):
    site = make_site(database)
    site.add_channel()
    consumers = site.processes.consumers(2)
    _, one = site.processes.site("--noreload")
    _, other = site.processes.site("--noreload")
    wait_until(lambda: site.ask("SELECT count(*) FROM housekeeping_consumer") == [(2,)])

    with Visitors(one, other):
        for consumer in consumers:
            consumer.kill()
        site.do(f"UPDATE housekeeping_consumer SET last_heartbeat_at = {AN_HOUR_AGO[database]}")

        wait_until(lambda: receiver.received, seconds=90, what="the message")
        # Both sites look again, and a new consumer is back.
        threading.Event().wait(65)
        assert [request.json["type"] for request in receiver.received] == ["incident.opened"]
        [opened] = receiver.received
        assert opened.json["data"]["kind"] == "consumer"

        site.processes.consumer()
        wait_until(lambda: len(receiver.received) > 1, seconds=90, what="the all-clear")
        threading.Event().wait(65)

    assert [request.json["type"] for request in receiver.received] == ["incident.opened", "incident.closed"]


def test_a_receiver_that_fails_for_an_hour_gets_the_message_then(make_site, receiver, tmp_path):
    clock = Clock(tmp_path)
    site = make_site(**clock.environment)
    site.add_channel()
    site.processes.consumer()
    receiver.status = 503
    site.processes.shell(FAIL)

    def is_put_off(attempts):
        found = site.ask("SELECT attempts, lease_until IS NULL FROM housekeeping_delivery")
        return len(receiver.refused) == attempts and found == [(attempts, 1)]

    wait_until(partial(is_put_off, 1), what="the first attempt")
    for attempts, minutes in enumerate((15, 30, 45, 60), start=2):
        clock.set(timedelta(minutes=minutes))
        wait_until(partial(is_put_off, attempts), what=f"the attempt after {minutes} minutes")
    receiver.status = 200
    clock.set(timedelta(hours=2, minutes=10))

    wait_until(lambda: receiver.received, what="the message")
    [accepted] = receiver.received
    assert {request.headers["webhook-id"] for request in receiver.refused} == {accepted.headers["webhook-id"]}
    assert accepted.json["data"]["text"] == "OSError: the disk is full"
    answers = partial(site.ask, "SELECT answer FROM housekeeping_delivery WHERE sent_at IS NOT NULL")
    wait_until(lambda: answers() == [("200 OK",)], what="the answer on record")


def test_a_mail_server_that_refuses_drips_and_works_delivers_what_it_can(make_site, tmp_path):
    with services.mail_server(refuse="bot") as server:
        clock = Clock(tmp_path)
        site = make_site(EMAIL_URL=f"smtp://127.0.0.1:{server.port}", **clock.environment)
        for name, address in (("ada", "ada@example.com"), ("bot", "bot@example.com")):
            site.add_channel(name, "mail", address)
        server.drips = "220"
        site.processes.consumer()

        site.processes.shell(FAIL)
        attempted = "SELECT count(*) FROM housekeeping_delivery WHERE attempts > 0 AND lease_until IS NULL"
        wait_until(lambda: site.ask(attempted) == [(2,)], seconds=90, what="the attempts")
        assert server.accepted == []

        server.drips = "none"
        clock.set(timedelta(minutes=10))
        wait_until(lambda: server.accepted, seconds=60, what="the mail")
        states = "SELECT address, answer, failed_at IS NULL FROM housekeeping_delivery ORDER BY address"
        wait_until(lambda: site.ask(states)[1][1:] == ("550", 0), what="the refusal")
        assert site.ask(states) == [("ada@example.com", "accepted", 1), ("bot@example.com", "550", 0)]
        assert server.accepted == ["<ada@example.com>"]
