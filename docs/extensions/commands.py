"""The commands, as their ``--help`` describes them."""

from argparse import Action, ArgumentParser, _SubParsersAction

from django.core.management import load_command_class
from django.core.management.base import DjangoHelpFormatter

from extensions.tables import code, sentence, table


def command(argument: str, content: list[str]) -> list[str]:
    """A command of the app: its purpose, and its actions or options."""
    parser = load_command_class("housekeeping", argument).create_parser("manage.py", argument)
    own = [one for one in parser._actions if _is_own(one)]
    actions = [one for one in own if isinstance(one, _SubParsersAction)]
    lines = [sentence(str(parser.description)), ""]
    for group in actions:
        for choice in group._choices_actions:
            lines += _described(choice.dest, str(choice.help), group.choices[choice.dest])
    return lines + _options([one for one in own if one not in actions])


def _is_own(action: Action) -> bool:
    """Is it an option of this command, and not one that each command of Django has?"""
    common = {*DjangoHelpFormatter.show_last, "--help"}
    return not common.intersection(action.option_strings)


def _described(name: str, meaning: str, parser: ArgumentParser) -> list[str]:
    own = [one for one in parser._actions if "--help" not in one.option_strings]
    positional = " ".join(one.dest.upper() for one in own if not one.option_strings)
    return [f"**`{f'{name} {positional}'.strip()}`**: {sentence(meaning)}", "", *_options(own)]


def _options(actions: list[Action]) -> list[str]:
    rows = [(code(_written(one)), sentence((one.help or "") % vars(one))) for one in actions]
    return table(("argument", "meaning"), rows) if rows else []


def _written(action: Action) -> str:
    """``--until UNTIL``"""
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        return str(value)
    name = max(action.option_strings, key=len)
    return name if action.nargs == 0 else f"{name} {value}"
