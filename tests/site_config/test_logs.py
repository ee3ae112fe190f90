import io
import json
import logging

import pytest
from django.urls import get_resolver, reverse
from hypothesis import given
from hypothesis import strategies as st

from site_config.logs import JSON, Json, OneLine, printable

FORGERIES = {
    "a line break": "ada\n[ERROR] the site is down",
    "a carriage return": "ada\r[ERROR] the site is down",
    "a line break of Unicode": "ada\u2028[ERROR]\x85[ERROR]",
    "an escape sequence": "\x1b[2J\x1b[31mred",
    "one in a single sign": "\x9b31m",
    "a mark that turns the text": "\u202egnihton",
    "signs that can't be seen": "a\u200bd\u2066a",
    "half a sign": "\ud800",
    "a null": "\0",
}


@pytest.fixture
def log():
    """A logger of its own, and what it has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine("[{levelname}] {message}", style="{"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, stream.getvalue


@pytest.mark.parametrize("text", FORGERIES.values(), ids=FORGERIES)
def test_a_record_is_one_line_of_signs_that_can_be_seen(text, log):
    logger, written = log

    logger.info("Signed in: %s", text)

    [line] = written().splitlines()
    assert line.startswith("[INFO] Signed in: ")
    assert line.isprintable()


@pytest.mark.parametrize("text", FORGERIES.values(), ids=FORGERIES)
def test_a_traceback_can_be_told_from_a_record_whatever_the_error_says(text, log):
    logger, written = log

    def fail():
        raise ValueError(text)

    try:
        fail()
    except ValueError:
        logger.exception("It failed", stack_info=True)

    first, *others = written().splitlines()
    assert first == "[ERROR] It failed"
    assert len(others) > 3
    assert all(line.startswith("  | ") and line.isprintable() for line in others)


def test_words_of_any_language_stay_as_they_are():
    assert printable("Grüße, 世界, שלום 🦣") == "Grüße, 世界, שלום 🦣"


@given(st.text())
def test_no_text_breaks_a_line(text):
    assert printable(text).isprintable()


def test_the_list_of_tasks_that_the_consumer_begins_with_keeps_its_lines(log):
    logger, written = log
    logger.name = "huey.consumer"

    logger.info("These commands are there:\n+ one\n+ t\x1bwo")

    assert written() == "[INFO] These commands are there:\n  | + one\n  | + t\\x1bwo\n"


def _addresses(patterns):
    for one in patterns:
        yield from _addresses(one.url_patterns) if hasattr(one, "url_patterns") else [one]


def test_no_address_with_a_token_is_in_a_line_of_any_kind():
    """As runserver logs it, and in a traceback. The site has these addresses, and no others."""
    secret = {"token": "c29tZQ:1x:secret"}
    found = [one for one in _addresses(get_resolver().url_patterns) if "token" in one.pattern.converters]
    paths = [reverse(one.name, kwargs=dict.fromkeys(one.pattern.converters, "MQ") | secret) for one in found]
    json_options = {name: JSON[name] for name in ("fmt", "rename_fields")}

    for path in paths:
        error = ValueError(f"{path!r}")
        failed = (type(error), error, None)
        record = logging.LogRecord(
            "django.server", 30, "", 1, '"%s" %s', (f"GET {path}?a HTTP/1.1", 200), failed
        )
        text, as_json = (one.format(record) for one in (OneLine(), Json(**json_options)))
        assert "secret" not in text + as_json
        assert "/…?a HTTP" in text
        assert "/…?a HTTP" in json.loads(as_json)["message"]
    assert sorted(one.name for one in found) == ["password-new", "verify"]
