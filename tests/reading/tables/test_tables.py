"""The list of tables: sizes, growth, the days until a size, and the policies that delete from each."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Q
from django.utils import timezone

from chat.models import Conversation, User
from housekeeping import Policy, anonymise
from housekeeping.exceptions import BadSize, UnknownTable
from housekeeping.journal import tallies
from housekeeping.models import Gauge, TableSize
from housekeeping.reading.tables import known, listing, measuring
from tests import make
from tests.make import days
from tests.zoo import tasks as zoo
from tests.zoo.models import Animal, OldPark, Park

pytestmark = pytest.mark.django_db

NOW = timezone.now()
KB, MB, GB = 1024, 1024**2, 1024**3


def size(table="chat_chatmessage", *, age=timedelta(), **fields):
    """A measurement of a table; the newest ones are those of now."""
    at = NOW - age
    Gauge.objects.update_or_create(
        name=measuring.GAUGE, defaults={"value": {"failed": {}}, "measured_at": NOW, "took_ms": 1}
    )
    fields = {"rows": 100, "bytes": 10 * MB} | fields
    return TableSize.objects.create(table=table, day=tallies.day_of(at), measured_at=at, **fields)


def names(**asked):
    return [card.name for card in listing.read(**asked).cards]


def test_before_the_first_measurement_there_is_nothing():
    found = listing.read()

    assert (found.cards, found.measured_at, found.own.bytes) == ([], None, None)


def test_growth_is_the_change_since_the_oldest_measurement_of_the_last_thirty_days():
    size(age=days(31), bytes=1, rows=1)
    size(age=days(20), bytes=2 * MB, rows=20)
    size(age=days(10), bytes=50 * MB, rows=500)
    size(bytes=12 * MB, rows=60)

    card = listing.card("chat_chatmessage")

    assert (card.bytes_per_day, card.rows_per_day) == (MB // 2, 2)
    assert card.history == [2 * MB, 50 * MB, 12 * MB]
    assert card.is_growing


def test_growth_needs_a_day():
    size(age=timedelta(hours=23, minutes=59))
    size(table="chat_user")
    TableSize.objects.filter(table="chat_chatmessage").update(day=NOW - days(2))
    size(bytes=20 * MB)

    assert listing.card("chat_chatmessage").growth is None
    assert listing.card("chat_user").growth is None


@pytest.mark.parametrize(
    ("now", "before", "until", "expected"),
    [
        (10 * MB, 5 * MB, 20 * MB, 20),  # half a MB a day
        (10 * MB, 5 * MB, 10 * MB, 0),
        (10 * MB, 5 * MB, 1, 0),
        (10 * MB, 10 * MB, 20 * MB, None),
        (10 * MB, 20 * MB, 20 * MB, None),
        (10 * MB, 10 * MB - 1, 100 * GB, None),  # not within a century
        (None, None, 20 * MB, None),
    ],
)
def test_the_days_until_a_size(now, before, until, expected):
    size(age=days(10), bytes=before)
    size(bytes=now)

    assert listing.card("chat_chatmessage", until=until).days_until == expected
    assert listing.card("chat_chatmessage").days_until is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10GB", 10 * GB),
        ("1.5 mb", 1.5 * MB),
        (" 1 KB ", KB),
        ("7B", 7),
        ("2tb", 2048 * GB),
        ("999999.999TB", int(999_999.999 * 1024 * GB)),
    ],
)
def test_a_size_is_read_as_people_write_it(text, expected):
    assert listing.parse_size(text) == expected


@pytest.mark.parametrize(
    "text", ["", "10", "GB", "-1GB", "0GB", "1e3GB", "10 GiB", "9999999GB", "١GB", "1,5GB", "nan", "10GB x"]
)
def test_any_other_size_is_refused_in_one_sentence(text):
    with pytest.raises(BadSize, match=r"^Write a size such as 500 MB, 10 GB or 2 TB\.$"):
        listing.parse_size(text)


def test_tables_are_sorted_the_most_first():
    size("chat_user", bytes=30 * MB, rows=5)
    size("chat_conversation", bytes=20 * MB, rows=900)
    size("chat_conversation", bytes=1 * MB, rows=1, age=days(10))
    size("chat_chatmessage", bytes=10 * MB, rows=50)
    size("chat_chatmessage", bytes=9 * MB, rows=1, age=days(10))

    assert names() == ["chat_user", "chat_conversation", "chat_chatmessage"]
    assert names(sort="growth") == ["chat_conversation", "chat_chatmessage", "chat_user"]
    assert names(sort="rows") == ["chat_conversation", "chat_chatmessage", "chat_user"]
    assert names(sort="name") == ["chat_chatmessage", "chat_conversation", "chat_user"]


def test_without_bytes_rows_count():
    size("chat_user", bytes=None, rows=5)
    size("chat_conversation", bytes=None, rows=900)

    assert names() == ["chat_conversation", "chat_user"]


def test_a_table_that_was_dropped_is_gone_and_one_that_was_not_measured_keeps_its_size():
    size("dropped", age=days(1))
    size("locked", age=days(2), rows=1)
    size("locked", age=days(1), rows=7)
    size("chat_user")
    Gauge.objects.update(value={"failed": {"locked": "", "never_measured": "DataError: odd"}})

    found = {card.name: (card.size.rows, card.failure) for card in listing.read().cards}

    assert found == {"locked": (7, ""), "chat_user": (100, None)}


def test_the_policies_that_delete_from_a_table_directly_or_with_other_rows():
    for table in ("chat_chatmessage", "chat_conversation", "chat_user", "housekeeping_tally"):
        size(table)

    found = {
        card.name: [(cover.policy, cover.is_direct) for cover in card.covers] for card in listing.read().cards
    }

    assert found["chat_chatmessage"] == [("messages", True), ("conversations", False), ("users", False)]
    assert found["chat_conversation"] == [("conversations", True), ("users", False)]
    assert found["chat_user"] == [("users", True)]
    assert found["housekeeping_tally"] == []


def test_a_growing_table_without_a_policy_is_marked():
    for table in ("chat_chatmessage", "housekeeping_tally", "nobodys"):
        size(table, bytes=1, age=days(10))
        size(table)
    size("housekeeping_act")

    assert {card.name for card in listing.read().cards if card.wants_policy} == {
        "housekeeping_tally", "nobodys",
    }  # fmt: skip


def test_models_of_all_kinds_are_found_by_their_tables():
    found = known.models_by_table()

    assert found["zoo_park"] is Park
    assert OldPark not in found.values()
    assert found["zoo_animal_keepers"] is Animal.keepers.through
    assert found["chat_user"] is User
    assert "auth_user" not in found  # swapped
    assert found["django_admin_log"] is LogEntry


def test_the_policies_of_circles_and_of_many_tables_are_found_once():
    with zoo.declared():
        covers = known.covers()

    assert [cover.policy for cover in covers["zoo_park"] if cover.is_direct] == ["parks", "proxies"]
    assert len({cover.policy for cover in covers["zoo_animal"]}) == len(covers["zoo_animal"])


def test_a_policy_that_raises_an_error_hides_no_other_one(add_task):
    add_task("broken", lambda purge: {}, policy=Policy("broken", rows=lambda cutoff: 1 / 0))

    assert known.covers()["chat_conversation"][0].policy == "conversations"


def test_a_recipe_that_is_not_switched_on_is_named():
    assert known.recipe_for(LogEntry) == "admin_log"
    assert known.recipe_for(Conversation) == ""


@pytest.mark.parametrize(
    "value",
    [
        "x",
        5,
        [],
        {"failed": 7, "bytes": "x"},
        {"failed": {"a": 1}, "bytes": -1, "databases": {"b": {"error": 7}}},
    ],
)
def test_a_gauge_of_any_shape_is_read(value):
    size()
    Gauge.objects.update(value=value)

    found = listing.read()

    assert ([card.name for card in found.cards], found.own.bytes) == (["chat_chatmessage"], None)


def test_ages_of_any_shape_are_read():
    size(ages={"a": 1, "b": {"rows": -1}, "c": {"rows": 5, "older": {"30": "x", "90": 2}, "oldest": "never"}})

    assert listing.card("chat_chatmessage").ages == {
        "c": {"rows": 5, "older": {"90": 2}, "oldest": None, "newest": None, "is_estimate": False}
    }


def test_an_unknown_table_is_told():
    with pytest.raises(UnknownTable, match="There is no table 'nope', or it has not been measured yet"):
        listing.card("nope")


def test_the_list_costs_few_queries(django_assert_max_num_queries):
    measuring.measure(NOW)
    make.message()

    with django_assert_max_num_queries(4):
        listing.read()


def test_a_policy_that_makes_rows_anonymous_does_not_keep_their_table_from_growing(add_task):
    then = anonymise({"title": ""}, done=Q(title=""))
    policy = Policy("titles", lambda cutoff: Conversation.objects.all(), then=then)
    add_task("titles", lambda purge: {}, policy=policy)

    assert "titles" not in [cover.policy for cover in known.covers()["chat_conversation"]]
