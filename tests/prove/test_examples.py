"""An example of README or docs, in a copy of the site: it runs, and no test of the site minds it."""

import pytest

from tests import examples

# What promises to be complete: lists in the docs, German, the API's description, every face.
PROMISES = (
    "tests/test_project.py",
    "tests/site_config/test_translations.py",
    "tests/declared/test_registry.py",
    "tests/runs/test_schedules.py",
    "tests/chat/test_tasks.py",
    "tests/management",
    "tests/dashboard/test_guards.py",
    "tests/dashboard/test_overview.py",
    "tests/dashboard/test_languages.py",
    "tests/monitoring/test_metrics.py",
    "tests/faces/test_policies.py",
    "tests/api/test_schema.py::test_the_description_that_is_checked_in_is_current",
    "tests/faces/test_steering.py",
)


@pytest.fixture(params=examples.declaring_a_task(), ids=examples.name_of)
def example(request, tmp_path):
    examples.paste(request.param, tmp_path)
    return request.param


def test_an_example_is_previewed_and_run(example, tmp_path):
    run = ["manage.py", "run_housekeeping", "--task", examples.name_of(example)]

    for words in (["manage.py", "migrate"], [*run, "--dry-run"], run):
        done = examples.python(tmp_path, *words)
        assert done.returncode == 0, done.stdout


def test_an_example_leaves_every_test_green(example, tmp_path):
    done = examples.python(tmp_path, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *PROMISES)

    assert done.returncode == 0, done.stdout
