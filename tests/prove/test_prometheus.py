"""The files in deploy/ for Prometheus and Grafana, with a real Prometheus that scrapes the site."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
import yaml

from tests import services
from tests.processes import ROOT, Processes

PROMETHEUS, GRAFANA = ROOT / "deploy/prometheus", ROOT / "deploy/grafana/housekeeping.json"

OLD_CONVERSATION = """
from chat.models import User
from tests import make
make.conversation(age=make.days(40), user=User.objects.first())
"""


def promtool(*words):
    program = services.need("promtool", shutil.which("promtool"))
    done = subprocess.run([program, *words], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_fire_when_they_should_and_not_before():
    promtool("check", "rules", "housekeeping.rules.yml")
    promtool("test", "rules", "housekeeping.rules.test.yml")


def test_the_sample_configuration_is_valid():
    promtool("check", "config", "prometheus.yml")


class Prometheus:
    """A Prometheus that scrapes the site every two seconds, with the rules of deploy/."""

    def __init__(self, folder, site):
        self.program = services.need("Prometheus", shutil.which("prometheus"))
        self.folder, self.port = folder, services.free_port()
        target = urllib.parse.urlsplit(site).netloc
        # The rules wait for minutes, so that nobody is called for a restart. The tests wait for seconds.
        rules = (PROMETHEUS / "housekeeping.rules.yml").read_text()
        (folder / "rules.yml").write_text(re.sub(r"for: \d+[mh]$", "for: 2s", rules, flags=re.M))
        config = {
            "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "housekeeping", "static_configs": [{"targets": [target]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def start(self):
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", listen],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        services.wait_until(self.is_ready, what="Prometheus")

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def ask(self, path, **parameters):
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, query):
        """The value of the only series of a query; None if there is none."""
        found = self.ask("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self):
        alerts = self.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@pytest.fixture
def database():
    with services.running(services.Postgres) as server:
        yield server


@pytest.fixture
def processes(tmp_path, database):
    running = Processes(tmp_path, DATABASE_URL=database.url)
    running.command("migrate")
    yield running
    running.end()


@pytest.fixture
def prometheus(tmp_path, processes):
    _, address = processes.site("--noreload", HOUSEKEEPING_AUTOSTART="false")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    running = Prometheus(folder, address)
    running.start()
    yield running
    running.stop()


def queries():
    """The query of each panel, without its variables."""
    for panel in json.loads(GRAFANA.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$job", "housekeeping").replace("$task", ".*")


def test_each_query_of_the_dashboard_finds_what_the_site_says(prometheus, processes):
    consumer = processes.consumer()
    processes.shell(OLD_CONVERSATION)
    succeeded = 'housekeeping_runs_ended_total{task="conversations", status="succeeded"}'
    services.wait_until(lambda: prometheus.value(succeeded) == 0, what="the first scrape")
    processes.command("run_housekeeping", "--task", "conversations")
    services.wait_until(lambda: prometheus.value(succeeded) == 1, what="the scrape of the run")
    # A row that is eligible: its backlog has an age then.
    processes.shell(OLD_CONVERSATION)
    services.wait_until(
        lambda: prometheus.value('housekeeping_policy_due_rows{policy="conversations"}') == 1,
        seconds=60,
        what="the scrape of the backlog",
    )
    time.sleep(3)  # an increase needs two samples

    empty = {title for title, query in queries() if not prometheus.ask("query", query=query)["result"]}

    assert empty == set()
    assert prometheus.value("max without (instance) (housekeeping_healthy)") == 1
    assert prometheus.firing() == {"HousekeepingBacklog"}  # the second conversation

    consumer.kill()
    services.wait_until(
        lambda: {"HousekeepingNoConsumer", "HousekeepingUnhealthy"} <= prometheus.firing(),
        seconds=90,
        what="the alert",
    )


def test_a_dead_database_is_noticed_though_the_site_can_report_nothing(prometheus, database):
    services.wait_until(lambda: prometheus.value("up") == 1, what="the first scrape")

    database.stop()

    services.wait_until(lambda: "HousekeepingDown" in prometheus.firing(), seconds=60, what="the alert")
    assert prometheus.value("up") == 0
