import logging

import pytest

from housekeeping.journal import logs
from housekeeping.models import LogLine
from housekeeping.runs import execution
from housekeeping.steering import retentions
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def carry_out(run, **options):
    return execution.execute(execution.claim(run.pk, run.attempts), **options)


def lines(run):
    return list(run.log_lines.values_list("level", "text"))


def test_a_run_keeps_what_is_logged_while_it_is_carried_out():
    make.conversation(age=days(40))

    run = carry_out(make.run())

    assert [text for _, text in lines(run)][:3] == [
        f"Starting housekeeping task {run} (manual run, attempt 1)",
        "Deleting 1 conversation older than 30 days",
        "Successfully deleted 1 conversation",
    ]


def test_a_purge_says_the_number_of_rows_and_the_retention_in_force_before_it_deletes():
    for _ in range(2):
        make.conversation(age=days(15))
        make.message()
    retentions.change("conversations", 10)

    texts = [text for task in ("conversations", "messages") for _, text in lines(carry_out(make.run(task)))]

    assert "Deleting 2 conversations older than 10 days" in texts
    assert "Deleting 2 chat messages" in texts


def test_the_lines_are_there_while_it_goes_on(monkeypatch):
    monkeypatch.setattr(logs, "WRITTEN_EACH", 0)
    for _ in range(4):
        make.conversation(age=days(40))
    seen = []

    carry_out(make.run(), batch_size=2, watch=lambda run: seen.append(run.log_lines.count()))

    assert seen[-1] > 0


def test_what_is_logged_beside_a_run_is_not_the_runs():
    with logs.collect(make.run()) as log:
        pass
    logging.getLogger("housekeeping").info("Something else")

    log.write()

    assert not LogLine.objects.exists()


def test_a_run_that_logs_without_end_keeps_a_bounded_part(monkeypatch):
    monkeypatch.setattr(logs, "MOST_LINES", 5)
    run = make.run()

    with logs.collect(run) as log:
        for number in range(20):
            logging.getLogger("chat").warning("line %s\0", number)
        log.write()

    assert len(lines(run)) == 5
    assert lines(run)[0] == ("WARNING", "line 0\N{REPLACEMENT CHARACTER}")
    assert lines(run)[-1][1] == "The rest is in the site's log alone."
