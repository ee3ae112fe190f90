"""``--help`` of each command."""

import argparse

import pytest
from django.core.management import get_commands, load_command_class

OURS = {name: app for name, app in get_commands().items() if app in ("chat", "housekeeping")}
# Their options are those of Django and Huey, which extend them.
OTHERS = {"runserver", "run_huey"}


def parsers(parser):
    """The parser, and those of its actions."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from parsers(one)


def arguments(parser):
    return [one for one in parser._actions if not isinstance(one, argparse._SubParsersAction)]


@pytest.mark.parametrize("name", sorted(set(OURS) - OTHERS))
def test_every_argument_explains_itself(name):
    parser = load_command_class(OURS[name], name).create_parser("manage.py", name)

    silent = [
        f"{each.prog} {one.dest}" for each in parsers(parser) for one in arguments(each) if not one.help
    ]
    assert silent == []


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_says_what_it_does(name):
    parser = load_command_class(OURS[name], name).create_parser("manage.py", name)

    assert parser.description
    assert all(parser.format_help() for parser in parsers(parser))
