"""The models of public projects can be purged: nearly all of them."""

import pytest

from tests.field.environments import told
from tests.field.projects import PROJECTS


@pytest.mark.parametrize("project", [name for name, one in PROJECTS.items() if not one.checkout])
def test_nearly_every_model_of_a_public_project_is_taken(project):
    found = told("count", project)

    assert found["models"] > 50
    assert found["taken"] >= 0.97 * found["models"], found["refused"]
