"""Runs with the cases of every recipe."""

from django.core.checks import run_checks


def test_check_finds_nothing():
    assert run_checks(include_deployment_checks=False) == []
