"""The wheel and the recipes once more, on PostgreSQL."""

from urllib.parse import urlsplit

import pytest

from tests.hosts import test_wheel
from tests.hosts.test_wheel import environment, project  # noqa: F401 (fixtures)
from tests.recipes.test_recipes import CASES, check_cases


@pytest.mark.parametrize("project", ["postgres"], indirect=True)
def test_the_readme_s_steps_lead_to_a_purge_and_back(project):  # noqa: F811
    test_wheel.test_the_readme_s_steps_lead_to_a_purge_and_back(project)


@pytest.mark.parametrize("recipe", CASES)
def test_the_cases_of_a_recipe_pass(recipe, postgres_url, tmp_path):
    check_cases(recipe, tmp_path, server=urlsplit(postgres_url).netloc.partition("@")[2])
