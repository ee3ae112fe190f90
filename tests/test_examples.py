"""A new task is one block in one file: the examples are taken at their word (more in tests/prove)."""

import pytest

from tests import examples


@pytest.mark.parametrize("example", examples.declaring_a_task(), ids=examples.name_of)
def test_an_example_passes_the_checks_of_a_copy_of_the_site(example, tmp_path):
    examples.paste(example, tmp_path)

    checked = examples.python(tmp_path, "manage.py", "check", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stdout


def test_there_are_examples():
    assert examples.declaring_a_task()
