"""The cases of each recipe, against the real package, on both databases."""

from urllib.parse import urlsplit

import pytest

from tests.recipes.test_recipes import CASES, check_cases


@pytest.mark.parametrize("recipe", CASES)
def test_its_cases_pass(recipe, tmp_path):
    check_cases(recipe, tmp_path)


@pytest.mark.parametrize("recipe", CASES)
def test_its_cases_pass_on_postgres(recipe, postgres_url, tmp_path):
    check_cases(recipe, tmp_path, server=urlsplit(postgres_url).netloc.partition("@")[2])
