"""The recipes once more, on PostgreSQL."""

from urllib.parse import urlsplit

import pytest

from tests.recipes.test_recipes import CASES, check_cases


@pytest.mark.parametrize("recipe", CASES)
def test_the_cases_of_a_recipe_pass(recipe, postgres_url, tmp_path):
    check_cases(recipe, tmp_path, server=urlsplit(postgres_url).netloc.partition("@")[2])
