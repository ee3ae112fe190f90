"""The German catalogue: complete, without doubt, and compiled as it stands."""

import gettext

import pytest

from tests import catalogue
from tests.processes import ROOT

FOLDER = ROOT / "locale/de/LC_MESSAGES"
ENTRIES = catalogue.entries(FOLDER / "django.po")


def marked():
    """Every text that a person may read on a page."""
    for room in ("housekeeping", "chat"):
        for file in (ROOT / room).rglob("*.py"):
            yield from catalogue.of_python(file)
    for file in (ROOT / "templates").rglob("*.html"):
        yield from catalogue.of_template(file)


def test_what_pages_say_is_in_the_catalogue_and_nothing_else():
    known = {(entry.context, entry.text) for entry in ENTRIES}

    assert known == set(marked())
    assert len(known) == len(ENTRIES) > 300


def test_no_message_is_without_a_translation_nor_in_doubt():
    doubtful = [entry.text for entry in ENTRIES if entry.is_fuzzy or not all(entry.translations)]

    assert doubtful == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.text[:40])
def test_a_translation_keeps_what_is_filled_in(entry):
    for text, translation in zip((entry.text, entry.plural), entry.translations, strict=False):
        assert set(catalogue.PLACEHOLDER.findall(translation)) == set(catalogue.PLACEHOLDER.findall(text))


def test_the_compiled_catalogue_is_the_one_that_is_read():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)

    for entry in ENTRIES:
        if entry.plural:
            found = [compiled.ngettext(entry.text, entry.plural, count) for count in (1, 2)]
        else:
            found = [
                compiled.pgettext(entry.context, entry.text)
                if entry.context
                else compiled.gettext(entry.text)
            ]
        assert found == entry.translations
