import logging

import pytest

from housekeeping.declared import registry
from housekeeping.journal import logs
from housekeeping.models import LogLine
from housekeeping.runs.work import execution
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


def test_an_undo_is_logged_as_an_undo(caplog):
    purge = make.purge()

    undo = carry_out(make.run(undo_of=purge, undo_state={}))

    assert lines(undo)[0] == ("INFO", f"Starting housekeeping task {undo} (manual undo, attempt 1)")
    assert f"Undo of {undo} succeeded: " in caplog.text


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
    assert lines(run)[-1][1] == "The rest is only in the site's log."


# --- In a project that logs warnings only, as Django's own settings do -----------------------


class Lines(logging.Handler):
    """A handler of the project, at no level of its own."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


@pytest.fixture
def console():
    """A handler at the root and at the loggers of a run, which have no levels."""
    handler, names = Lines(), ["", *registry.loggers()]
    found = [(logging.getLogger(name), logging.getLogger(name).__dict__.copy()) for name in names]
    for logger, _ in found:
        logger.setLevel(logging.NOTSET if logger.parent else logging.WARNING)
        logger.handlers, logger.propagate = [handler], False
    yield handler
    for logger, before in found:
        logger.setLevel(before["level"])
        logger.handlers, logger.propagate = before["handlers"], before["propagate"]


def test_a_run_has_its_lines_also_where_the_project_logs_warnings_only(console):
    make.conversation(age=days(40))

    run = carry_out(make.run())

    assert "Successfully deleted 1 conversation" in [text for _, text in lines(run)]
    assert console.texts == []


def test_the_project_s_handlers_get_the_lines_of_its_own_levels_and_no_others(console):
    chatty = logging.getLogger("chat.chatty")
    chatty.setLevel(logging.DEBUG)
    with logs.collect(make.run()) as log, logs.collect(make.run("messages")):
        logging.getLogger("chat.mails").info("Nothing sent")
        logging.getLogger("chat.mails").warning("No ink")
        chatty.debug("A detail")
        chatty.info("A word")
    logging.getLogger("chat").info("Later")
    chatty.setLevel(logging.NOTSET)

    assert [line.text for line in log.waiting] == ["Nothing sent", "No ink", "A word"]
    assert console.texts == ["No ink", "A detail", "A word"]
    assert logging.getLogger("chat").level == logging.NOTSET


def test_a_level_that_the_project_has_set_for_a_logger_stays(console):
    logging.getLogger("chat").setLevel(logging.WARNING)

    with logs.collect(make.run()) as log:
        logging.getLogger("chat").info("Nothing sent")

    assert (log.waiting, logging.getLogger("chat").level) == ([], logging.WARNING)
