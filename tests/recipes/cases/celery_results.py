from datetime import timedelta

import pytest
from celery import Celery
from celery.result import AsyncResult, GroupResult
from django.utils import timezone
from django_celery_results.models import ChordCounter, TaskResult
from django_celery_results.models import GroupResult as StoredGroup

from tests.recipes.host import steps

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = [TaskResult, StoredGroup, ChordCounter]


@pytest.fixture
def celery():
    return Celery(
        "host",
        backend="django-db",
        broker="memory://",
        set_as_current=False,
        task_always_eager=True,
        task_store_eager_result=True,
        result_extended=True,
    )


@pytest.fixture
def divide(celery):
    @celery.task
    def divide(left, right):
        return left / right

    return divide


def age(model, days, **found):
    model.objects.filter(**found).update(date_done=timezone.now() - timedelta(days=days))


def chord(celery, name, *tasks):
    parts = [AsyncResult(task, app=celery) for task in tasks]
    celery.backend.apply_chord((name, parts), {})


def test_results_and_groups_are_deleted_after_thirty_days_and_an_undo_brings_them_back(celery, divide):
    for task_id, right, days in [("good", 2, 31), ("bad", 0, 30.01), ("young", 2, 29)]:
        divide.apply((1, right), task_id=task_id)
        age(TaskResult, days, task_id=task_id)
        GroupResult(f"group of {task_id}", [AsyncResult(task_id, app=celery)], app=celery).save()
        age(StoredGroup, days, group_id=f"group of {task_id}")
    assert "ZeroDivisionError" in TaskResult.objects.get(task_id="bad").traceback
    before = steps.rows(*TABLES)

    expected = {"deleted_chords": 0, "deleted_groups": 2, "deleted_results": 2}
    assert steps.preview("celery_results") == expected
    assert steps.rows(*TABLES) == before

    deleted, run = steps.purge("celery_results")
    assert deleted == expected
    assert AsyncResult("good", app=celery).state == "PENDING"
    assert AsyncResult("young", app=celery).get() == 0.5

    came_back = {"django_celery_results.TaskResult": 2, "django_celery_results.GroupResult": 2}
    assert steps.undo(run) == (came_back, {})
    assert steps.rows(*TABLES) == before
    assert AsyncResult("good", app=celery).get() == 0.5


def test_a_chord_is_deleted_with_the_result_of_its_first_task(celery, divide):
    for task_id, days in [("old", 31), ("young", 29)]:
        divide.apply((1, 2), task_id=task_id)
        age(TaskResult, days, task_id=task_id)
    chord(celery, "dead", "old", "never ran")
    chord(celery, "running", "young", "still runs")
    chord(celery, "queued", "waits", "waits as well")
    before = steps.rows(*TABLES)

    expected = {"deleted_chords": 1, "deleted_groups": 0, "deleted_results": 1}
    assert steps.preview("celery_results") == expected

    deleted, run = steps.purge("celery_results")
    assert deleted == expected
    assert set(ChordCounter.objects.values_list("group_id", flat=True)) == {"running", "queued"}

    assert steps.undo(run)[1] == {}
    assert steps.rows(*TABLES) == before
