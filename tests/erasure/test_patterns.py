"""A name may have characters that mean something in a pattern: they stand for themselves."""

import pytest

from tests.erasure.test_terms import terms

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("gr.ce", "grace"),
        ("grac+e", "graccce"),
        (r"gr\wce", "grace"),
        ("(grace", "grace"),
        ("gr[a-z]ce", "grace"),
    ],
)
def test_a_name_is_no_pattern(name, others):
    some = terms(name=name)

    assert some.replaced(f"by {name}, by {others}") == f"by PSEUDONYM, by {others}"
