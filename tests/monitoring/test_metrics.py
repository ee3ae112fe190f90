from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from housekeeping.journal import tallies
from housekeeping.models import Archive
from housekeeping.reading.tables import listing, measuring
from housekeeping.runs import schedules
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def scraped(client):
    """Every sample as Prometheus reads it: name and labels to value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name.removeprefix("housekeeping_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


def test_a_site_that_nobody_looks_after_is_not_healthy(client):
    found = scraped(client)

    assert (found["healthy",], found["findings", "bad"], found["consumers",]) == (0, 1, 0)


def test_a_task_that_never_ran_is_counted_from_zero(client):
    found = scraped(client)

    for status in ("succeeded", "failed", "missed"):
        assert found["runs_ended_total", status, "users"] == 0
        assert found["rows_purged_total", status, "users"] == 0


def test_what_ran_is_counted_and_goes_on_from_there(client):
    make.consumer()
    make.conversation(age=days(40))
    make.conversation(age=days(40))
    ended = carry_out(make.run())
    carry_out(make.run())
    carry_out(make.run(dry_run=True))

    found = scraped(client)

    assert found["healthy",] == 1
    assert found["runs_ended_total", "succeeded", "conversations"] == 3
    assert found["rows_purged_total", "succeeded", "conversations"] == 2
    assert found["runs_seconds_total", "succeeded", "conversations"] > 0
    assert found["last_success_timestamp_seconds", "conversations"] > ended.finished_at.timestamp()
    assert ("last_success_timestamp_seconds", "users") not in found


def test_what_waits_and_what_is_late_is_told(client):
    make.run(requested_at=make.ago(minutes=5))
    make.run("users", status="held")
    make.schedule_state("weekly_cleanup", due=make.ago(hours=1))
    schedules.pause("daily_housekeeping")

    found = scraped(client)

    assert (found["runs_active", "queued"], found["runs_active", "held"]) == (1, 1)
    assert 300 <= found["oldest_waiting_seconds",] < 360
    assert found["schedule_late", "weekly_cleanup"] == 1
    assert found["schedule_late", "statistics_generation"] == 0
    assert found["schedule_paused", "daily_housekeeping"] == 1
    assert ("schedule_next_fire_timestamp_seconds", "daily_housekeeping") not in found
    assert found["schedule_next_fire_timestamp_seconds", "statistics_generation"] > timezone.now().timestamp()


def test_a_backlog_is_told_with_its_oldest_row(client):
    make.conversation(age=days(33))

    found = scraped(client)

    assert found["policy_due_rows", "conversations"] == 1
    since = datetime.fromtimestamp(found["policy_due_since_timestamp_seconds", "conversations"], UTC)
    assert timedelta(days=3) <= timezone.now() - since < timedelta(days=3, minutes=1)
    assert found["policy_retention_seconds", "conversations"] == 30 * 86_400
    assert ("policy_retention_seconds", "messages") not in found


def test_the_sites_numbers_come_with_their_age(client):
    make.conversation(messages=3)
    before = timezone.now().timestamp()

    found = scraped(client)

    assert (found["site", "total_conversations"], found["site", "total_messages"]) == (1, 3)
    assert found["site_timestamp_seconds",] >= before
    assert found["archive_bytes",] == sum(Archive.objects.values_list("size", flat=True))


def test_a_task_that_is_not_declared_is_told_of_without_its_name(client):
    tallies.add(make.run('a"name\n', status="failed", finished_at=timezone.now()))

    found = scraped(client)

    assert found["runs_ended_total", "failed", "unknown"] == 1
    assert "name" not in client.get("/metrics").text.replace("unknown", "")


def test_no_scrape_asks_more_because_there_is_more(client, django_assert_max_num_queries):
    for _ in range(20):
        carry_out(make.run("users"))
    scraped(client)

    with django_assert_max_num_queries(18):
        scraped(client)


@pytest.mark.parametrize("sent", ["", "Bearer wrong", "Bearer sécret", "Basic c2VjcmV0", "secret "])
def test_with_a_token_set_nobody_reads_without_it(sent, client, settings):
    settings.HOUSEKEEPING_METRICS_TOKEN = "secret"

    answer = client.get("/metrics", headers={"Authorization": sent} if sent else {})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="metrics"'
    assert answer.text == "Send the header Authorization: Bearer <HOUSEKEEPING_METRICS_TOKEN>.\n"


@pytest.mark.parametrize(
    "asked",
    [
        {"REMOTE_ADDR": "203.0.113.5"},
        {"REMOTE_ADDR": "10.0.0.7"},
        {"REMOTE_ADDR": "::ffff:10.0.0.7"},
        {"REMOTE_ADDR": ""},  # of a Unix socket
        {"HTTP_X_FORWARDED_FOR": "203.0.113.5"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
    ],
)
@pytest.mark.parametrize("is_behind_proxy", [False, True])
def test_without_a_token_only_this_machine_reads(asked, is_behind_proxy, client, settings):
    settings.BEHIND_PROXY = is_behind_proxy

    answer = client.get("/metrics", **asked)

    assert answer.status_code == 403
    assert "HOUSEKEEPING_METRICS_TOKEN" in answer.text


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_a_program_on_this_machine_reads(address, client):
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 200


def test_with_a_token_another_host_reads(client, settings):
    settings.HOUSEKEEPING_METRICS_TOKEN = "secret"
    asked = {"REMOTE_ADDR": "203.0.113.5", "HTTP_X_FORWARDED_FOR": "203.0.113.6"}

    assert client.get("/metrics", headers={"Authorization": "Bearer secret"}, **asked).status_code == 200


def test_with_the_token_it_is_read(client, settings):
    settings.HOUSEKEEPING_METRICS_TOKEN = "secret"

    assert client.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_openmetrics_is_answered_to_who_asks_for_it(client):
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_the_size_of_each_table_is_that_of_the_last_measurement(client, django_assert_num_queries):
    make.message()
    measured_at = timezone.now()
    measuring.measure(measured_at)
    make.message()

    found = scraped(client)

    assert found["table_rows", "chat_chatmessage"] == 1
    assert found["table_bytes", "chat_chatmessage"] > 0
    assert found["table_timestamp_seconds", "chat_chatmessage"] == pytest.approx(measured_at.timestamp())
    with django_assert_num_queries(2):
        listing.newest()
