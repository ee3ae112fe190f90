"""What counts as the name of a person in a text, and what is somebody else's."""

import pytest

from housekeeping.declared.personal import Person
from housekeeping.erasure import people
from housekeeping.erasure.terms import MOST_WINDOWS, Terms

pytestmark = pytest.mark.django_db

WORDS = 'I told the doctor that I can\'t sleep\nsince "June"'


def terms(name="mjollnir", mail="grace.h@navy.example", full=("Grâce Hopper", "Hopper, Grâce")):
    return Terms(Person(people.accounts(), "1", name, (mail,), full), "PSEUDONYM")


@pytest.mark.parametrize(
    "text",
    [
        "grace.h@navy.example",
        "Mailed Grace.H@navy.example.",
        "<grace.h@navy.example>, 5",
        "to=grace.h%40navy.example&x=1",
        "mjollnir",
        "Hello mjollnir!",
        "'mjollnir'",
        "user:mjollnir",
        "a\\nmjollnir says",
        "Dear Grâce Hopper,",
        '{"name": "Gr\\u00e2ce Hopper"}',
        "Hopper, Grâce",
    ],
)
def test_it_is_the_person(text):
    new = terms().replaced(text)

    assert "PSEUDONYM" in new
    assert not terms().are_in(new)


@pytest.mark.parametrize(
    "text",
    [
        "mjollnir2",
        "xmjollnir",
        "mjollnir@other.example",
        "mjollnir-2",
        "xgrace.h@navy.example",
        "grace-h@navy_example",  # no pattern
        "dr-grace.h@navy.example",
        "grace.h@navy.example.org",
        "Grâce Hopperson",
        "Grâce and Hopper",
    ],
)
def test_it_is_somebody_else(text):
    assert terms().replaced(text) == text


@pytest.mark.parametrize("name", ["stats", "users", "chat", "5", "12345", "in"])
def test_a_common_name_is_not_looked_for_in_texts(name):
    some = terms(name=name)

    assert not some.is_searched
    assert some.replaced(f"Deleted {name} of 5") == f"Deleted {name} of 5"
    assert some.replaced_in_json({"by": name, name: 1}) == {"by": "PSEUDONYM", name: 1}


def test_names_in_our_json_stay():
    some = terms()

    assert some.replaced_in_json({"mjollnir": "by mjollnir"}, with_names=False) == {
        "mjollnir": "by PSEUDONYM"
    }


@pytest.mark.parametrize(
    "text",
    [
        f"Error: {WORDS}",
        f"ValueError({WORDS!r})",
        "Error: the doctor that I can't sl (cut off)",
        f'{{"said": {WORDS.encode("unicode_escape").decode()!r}}}',
        "x" * 1000 + WORDS + "y" * 1000,
        f"{WORDS}{WORDS}",
    ],
)
def test_pieces_of_their_words_are_found(text):
    some = terms()
    some.add_words([WORDS, "Something else that was said"])

    new = some.replaced(text)

    assert "PSEUDONYM" in new
    assert "doctor" not in new
    assert not some.are_in(new)


def test_texts_that_have_little_in_common_with_their_words_stay():
    some = terms()
    some.add_words([WORDS, "short"])

    for text in ("I told the cook that I can sleep", "short", "Deleting 5 conversations older than 30 days"):
        assert some.replaced(text) == text


def test_the_memory_for_words_is_bounded():
    some = terms()
    some.add_words(f"{number:030}" * 60 for number in range(2_000))

    assert len(some._windows) < MOST_WINDOWS * 1.1
