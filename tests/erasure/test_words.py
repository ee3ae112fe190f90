"""What a person wrote: in texts of any length, in JSON, and what is left of it elsewhere."""

import json

import pytest
from django.utils import timezone
from huey.contrib.djhuey import HUEY

from housekeeping.declared.personal import Person
from housekeeping.erasure import certificate, people, requests, work
from housekeeping.erasure.copies import archives
from housekeeping.erasure.tables import rows
from housekeeping.erasure.terms import MOST_WINDOWS, Terms
from housekeeping.models import LogLine, Run
from housekeeping.queue import tasks as queue
from tests import make
from tests.erasure import traces
from tests.erasure.people import NAME, grace
from tests.zoo import tasks as zoo
from tests.zoo.models import Animal, Park
from tests.zoo.worlds import AS_OF, MONTH

pytestmark = pytest.mark.django_db(transaction=True)

TITLE = "My divorce papers"
LONG = " ".join(f"sentence{number} of a long letter" for number in range(2_000))


def terms(*texts):
    some = Terms(Person(people.accounts(), "1", NAME, ("grace.h@navy.example",)), "PSEUDONYM")
    some.add_words(texts)
    return some


def test_short_titles_and_long_messages_are_gone_from_logs_errors_and_results():
    conversation = make.conversation(user=grace(), title=TITLE)
    make.message(conversation=conversation, content=LONG)
    piece = LONG[30_000:30_200]
    run = make.run("stats", status="failed", error=f"ValueError: {piece}", result={"titles": [TITLE]})
    LogLine.objects.create(
        run=run, logged_at=timezone.now(), level="INFO", text=f"Read '{TITLE}' and {piece}"
    )
    HUEY.put_result("a task of the site", f"It read {TITLE}.")

    erasure = requests.store(people.find(NAME))
    work.carry_out(erasure, forget_results=queue.forget_results_with)

    assert traces.of(TITLE, piece[50:80]) == []
    assert erasure.pseudonym in Run.objects.get(pk=run.pk).error
    assert certificate.PIECES in erasure.certificate["not_reached"]


@pytest.mark.parametrize(
    "text",
    [f"Read {TITLE}", f"Read '{TITLE}'!", json.dumps({"title": TITLE}), f"{TITLE}: read", f"{TITLE} {TITLE}"],
)
def test_a_short_text_is_found_where_it_stands_by_itself(text):
    new = terms(TITLE, "ok", "Holidays", "rows deleted").replaced(text)

    assert TITLE not in new
    assert "PSEUDONYM" in new


@pytest.mark.parametrize(
    "text",
    [
        "My divorce papersmith",
        "xMy divorce papers",
        "5 rows deleted",
        "It is ok",
        "Holidays",
        "my divorce papers",
    ],
)
def test_a_part_of_a_word_and_common_words_stay(text):
    assert terms(TITLE, "ok", "Holidays", "rows deleted").replaced(text) == text


def test_a_short_text_with_other_characters_is_found_in_json():
    assert "u00fc" not in terms("Grüße aus Köln").replaced(json.dumps({"title": "Grüße aus Köln"}))


def test_one_long_text_leaves_room_for_others():
    some = terms("".join(f"{number:09}" for number in range(1_000_000)), LONG)

    assert len(some._windows) <= MOST_WINDOWS
    assert some.are_in(f"It said: {LONG[100:200]}")


def test_texts_in_json_are_words_too():
    said = "I told the doctor that I can't sleep"
    park = Park.objects.create(opened_at=AS_OF - 2 * MONTH)
    Animal.objects.create(park=park, seen_at=AS_OF, facts={"notes": [{said: "and then the nurse came in"}]})
    some, person = terms(), Person(Park, str(park.pk), "park")

    rows.look(person, {}, some, lambda: None)

    assert some.are_in("ValueError: told the doctor that I can't")
    assert some.are_in("ValueError: then the nurse came in")


def test_texts_in_json_of_archives_are_words_too(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    said = "I told the doctor that I can't sleep"
    park = Park.objects.create(opened_at=AS_OF - 2 * MONTH)
    Animal.objects.create(park=park, seen_at=AS_OF, facts={"notes": [said, 5, None]})
    with zoo.declared():
        zoo.purge("parks")
    read = []

    archives.look(
        Park,
        {"zoo.Park": {str(park.pk)}},
        lambda one, row: read.extend(rows.words_in(one, row)),
        lambda: None,
    )

    assert said in read
