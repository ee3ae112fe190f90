"""Whether a row is on hold, and why: what a site asks before it deletes a row itself."""

from datetime import UTC, datetime

import pytest
from django.utils import translation

from chat.models import User
from housekeeping import is_held, reason_held
from housekeeping.engine import holds
from housekeeping.models import Hold
from tests import make
from tests.zoo.models import Animal, House, Meal, OldPark, Park, Passport

pytestmark = pytest.mark.django_db


def hold(row, **fields):
    facts = {"model": row._meta.concrete_model._meta.label, "key": str(row.pk), "reason": "A dispute"}
    return Hold.objects.create(**facts | fields)


@pytest.fixture
def family():
    """A row of each table, from the top to the bottom, and one of each beside them."""
    found = []
    for code in ("a", "b"):
        park = Park.objects.create()
        house = House.objects.create(code=code, park=park)
        animal = Animal.objects.create(house=house)
        meal = Meal.objects.create(animal=animal)
        found.append([park, house, animal, Passport.objects.create(animal=animal), meal])
    return found


@pytest.mark.parametrize("place", range(5), ids=["park", "house", "animal", "passport", "meal"])
def test_a_hold_is_on_the_rows_above_and_below_and_on_no_others(family, place):
    mine, others = family
    beside = {3: 4, 4: 3}.get(place)  # the passport hangs from no meal, nor the meal from a passport

    made = hold(mine[place])

    assert [is_held(row) for row in mine] == [number != beside for number in range(5)]
    assert not any(is_held(row) for row in others)
    assert [holds.active_on(Park.objects.filter(pk=row.pk)) for row in (mine[0], others[0])] == [[made], []]


def test_a_row_is_held_under_its_proxy_too():
    park = OldPark.objects.create()

    assert not is_held(park)
    hold(park)
    assert is_held(park)
    assert holds.active_on(OldPark.objects.all())


@pytest.mark.parametrize(("until", "keeps"), [(None, True), ({"days": -1}, True), ({"days": 1}, False)])
def test_a_hold_counts_until_it_ends(until, keeps):
    row = make.conversation()
    hold(row, until=until and make.ago(**until))

    assert is_held(row) is is_held(row.user) is keeps
    assert bool(reason_held(row)) is keeps


def test_the_reason_names_each_held_row_with_the_end_of_its_hold():
    conversation = make.conversation()
    first = hold(conversation)
    second = hold(conversation.user, reason="An audit", until=datetime(2127, 1, 31, 12, tzinfo=UTC))

    reason = reason_held(conversation)

    assert f"{first} is on hold indefinitely: A dispute" in reason
    assert f"{second} is on hold until 31 Jan 2127, 12:00 UTC: An audit" in reason


def test_the_reason_is_given_in_the_language_of_who_asks():
    row = make.conversation()
    hold(row)

    with translation.override("de"):
        assert reason_held(row) == f"chat.Conversation {row.pk} ist unbefristet gesperrt: A dispute"


def test_of_many_held_rows_the_reason_names_some(django_assert_max_num_queries):
    user = make.user()
    for _ in range(holds.SHOWN + 2):
        hold(make.conversation(user=user))

    with django_assert_max_num_queries(5):
        assert len(holds.active_on(User.objects.all())) == holds.SHOWN


def test_rows_are_asked_about_with_one_query_where_nothing_is_held(django_assert_num_queries):
    row = make.conversation()

    with django_assert_num_queries(1):
        assert holds.active_on(User.objects.all()) == []
    assert not is_held(row)
    assert reason_held(row) == ""
