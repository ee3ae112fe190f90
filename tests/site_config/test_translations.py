"""The German catalogue: complete, without doubt, and compiled as it stands."""

import gettext

import pytest

from tests import catalogue
from tests.processes import ROOT

# Whose texts an app's catalogue holds: the app's own, and in the chat's those of the whole site.
FOLDERS = {"housekeeping": ["housekeeping"], "chat": ["chat", "site_config", "templates"]}
ENTRIES = {app: catalogue.entries(ROOT / app / "locale/de/LC_MESSAGES/django.po") for app in FOLDERS}
ALL = [entry for entries in ENTRIES.values() for entry in entries]


def marked(app):
    """Every text of these folders that a person may read on a page."""
    for folder in FOLDERS[app]:
        for file in (ROOT / folder).rglob("*.py"):
            yield from catalogue.of_python(file)
        for file in (ROOT / folder).rglob("*.html"):
            yield from catalogue.of_template(file)


@pytest.mark.parametrize("app", FOLDERS)
def test_what_pages_say_is_in_the_catalogue_and_nothing_else(app):
    known = {(entry.context, entry.text) for entry in ENTRIES[app]}

    assert known == set(marked(app))
    assert len(known) == len(ENTRIES[app]) > 30


def test_no_message_is_without_a_translation_nor_in_doubt():
    doubtful = [entry.text for entry in ALL if entry.is_fuzzy or not all(entry.translations)]

    assert doubtful == []


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.text[:40])
def test_a_translation_keeps_what_is_filled_in(entry):
    for text, translation in zip((entry.text, entry.plural), entry.translations, strict=False):
        assert set(catalogue.PLACEHOLDER.findall(translation)) == set(catalogue.PLACEHOLDER.findall(text))


@pytest.mark.parametrize("app", FOLDERS)
def test_the_compiled_catalogue_is_the_one_that_is_read(app):
    with (ROOT / app / "locale/de/LC_MESSAGES/django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)

    for entry in ENTRIES[app]:
        if entry.plural:
            found = [compiled.ngettext(entry.text, entry.plural, count) for count in (1, 2)]
        else:
            found = [
                compiled.pgettext(entry.context, entry.text)
                if entry.context
                else compiled.gettext(entry.text)
            ]
        assert found == entry.translations
