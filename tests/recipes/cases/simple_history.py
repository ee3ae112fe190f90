import random
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.utils import timezone

from housekeeping.declared import registry
from tests.recipes.host import steps
from tests.recipes.host.tracked.models import Customer, Order, Tag

pytestmark = pytest.mark.django_db(transaction=True)
History = Order.history.model
Relations = History.tags.model
TABLES = [History, Relations]


def ago(days):
    return timezone.now() - timedelta(days=days)


def save(order, note, days):
    """``_history_date`` is the package's own way to set the date of a row of history."""
    order.note, order._history_date = note, ago(days)
    order.save()


def made(*days):
    """An order that was saved so many days ago."""
    order = Order()
    for number in days:
        save(order, f"{number} days ago", number)
    return order


def delete(order, days):
    order._history_date = ago(days)
    order.delete()


def delete_by_sql(order):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tracked_order WHERE id = %s", [order.pk])


def notes():
    """The note and the type (made, changed, deleted) of each row of history, oldest first."""
    return list(History.objects.order_by("history_date", "pk").values_list("note", "history_type"))


def test_history_is_deleted_after_thirty_days_except_the_row_in_force_at_their_start():
    made(100, 50, 40, 10)
    before = steps.rows(*TABLES)

    expected = {"deleted_history": 2, "deleted_relations": 0}
    assert steps.preview("simple_history") == expected
    assert steps.rows(*TABLES) == before

    deleted, run = steps.purge("simple_history")
    assert deleted == expected
    assert notes() == [("40 days ago", "~"), ("10 days ago", "~")]

    assert steps.undo(run) == ({"tracked.HistoricalOrder": 2}, {})
    assert steps.rows(*TABLES) == before


def test_an_existing_object_keeps_its_newest_row_however_old():
    made(300, 200)

    steps.purge("simple_history")

    assert notes() == [("200 days ago", "~")]


def test_an_object_deleted_within_thirty_days_keeps_the_row_in_force_at_their_start():
    delete(made(90), days=10)

    assert steps.purge("simple_history")[0] == {"deleted_history": 0, "deleted_relations": 0}


def test_an_object_deleted_earlier_keeps_no_history():
    delete(made(90, 80), days=60)

    assert steps.purge("simple_history")[0] == {"deleted_history": 3, "deleted_relations": 0}


def test_an_object_deleted_by_sql_keeps_no_history_in_the_end():
    delete_by_sql(made(90, 80))
    delete_by_sql(made(70, 20))

    steps.purge("simple_history")

    assert notes() == [("70 days ago", "+"), ("20 days ago", "~")]


class OrdersAreElsewhere:
    def db_for_write(self, model, **hints):
        return "elsewhere" if model is Order else None


def test_an_object_in_another_database_counts_as_deleted_only_if_its_history_says_so(settings):
    delete(made(90), days=60)
    delete_by_sql(made(80))
    settings.DATABASE_ROUTERS = [OrdersAreElsewhere()]

    steps.purge("simple_history")

    assert notes() == [("80 days ago", "+")]


def test_of_rows_with_the_same_date_the_last_one_stays():
    order = made(90)
    moment = ago(60)
    for note in ("first", "second", "third"):
        order.note, order._history_date = note, moment
        order.save()

    steps.purge("simple_history")

    assert notes() == [("third", "~")]


@pytest.mark.parametrize("seed", range(2))
def test_as_of_gives_the_same_answers_as_before_for_the_last_thirty_days(seed):
    chance = random.Random(seed)
    for _ in range(60):
        days = sorted(chance.sample(range(1, 120), chance.randint(1, 6)), reverse=True)
        order = made(*days[:-1] or days)
        if len(days) > 1 and chance.random() < 0.4:
            delete(order, days[-1])
    moments = [ago(number) for number in (0, 1, 5, 10, 15.5, 20, 25.5, 29.9)]

    def answers():
        return [set(Order.history.as_of(moment).values_list("pk", "note")) for moment in moments]

    before, rows = answers(), steps.rows(*TABLES)

    counted = steps.preview("simple_history")
    deleted, run = steps.purge("simple_history")
    assert counted == deleted
    assert deleted["deleted_history"] > 60
    assert answers() == before

    steps.undo(run)
    assert steps.rows(*TABLES) == rows


def test_history_of_a_many_to_many_field_is_deleted_with_its_row_of_history():
    order = made(100)
    for number, days in enumerate((90, 60, 10)):
        order._history_date = ago(days)
        order.tags.add(Tag.objects.create(name=f"{number}"))
    before = steps.rows(*TABLES)

    deleted, run = steps.purge("simple_history")

    assert deleted == {"deleted_history": 2, "deleted_relations": 1}
    assert [row.tags.count() for row in History.objects.order_by("history_date")] == [2, 3]
    restored = {"tracked.HistoricalOrder": 2, Relations._meta.label: 1}
    assert steps.undo(run) == (restored, {})
    assert steps.rows(*TABLES) == before


def test_history_that_refers_to_a_row_does_not_stop_its_purge():
    old = Customer.objects.create(name="Ada", joined_at=ago(31))
    Customer.objects.create(name="Bob", joined_at=ago(29))
    order = Order.objects.create(customer=old)
    before = steps.rows(Customer, Order, History)
    assert run_checks() == []

    deleted, run = steps.purge("customers")
    order.refresh_from_db()
    assert (deleted, order.customer, History.objects.get().customer_id) == (
        {"deleted_customers": 1},
        None,
        old.pk,
    )

    steps.undo(run)
    assert steps.rows(Customer, Order, History) == before


def test_each_history_table_has_a_policy_of_at_least_thirty_days():
    policy = registry.find_policy("history-tracked-order")

    assert (policy.model, policy.retention, policy.shortest_days) == (History, timedelta(days=30), 30)
