"""The consumer's command. tests/consumer/ starts it; here is what needs no process."""

import logging
import re

import pytest

from housekeeping.management.commands import run_huey


@pytest.mark.parametrize(
    "configured",
    [
        {},
        {"version": 1, "formatters": {"plain": {"format": "%(message)s"}}},
        {"formatters": {"dated": {"format": "[%(levelname)s] %(name)s %(process)d %(message)s"}}},
    ],
)
def test_a_log_file_needs_nothing_of_the_project_s_logging(settings, tmp_path, configured):
    settings.LOGGING = configured
    handler = run_huey._file_handler(str(tmp_path / "consumer.log"))

    handler.emit(logging.LogRecord("club", logging.INFO, "", 1, "The bell rang", (), None))

    handler.close()
    assert re.search(r"\[INFO\] club \d+ The bell rang\n$", (tmp_path / "consumer.log").read_text())
