"""Ids on the command line: complete, or the first eight characters, as pages and lists show them."""

import argparse
import uuid

from django.core.management.base import CommandError

from housekeeping.management.base import plain
from housekeeping.models import Run
from housekeeping.reading import search

SHORT = 8
RUN = f"the run's id, or the first {SHORT} characters of it"
MOST_CHOICES = 10


def run_id(text: str) -> str:
    """What argparse takes as the id of a run. Whether there is such a run is a question for run_of."""
    if not search.is_start_of_id(text, least=SHORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not an id: write {SHORT} characters of it, or all.")
    return text


def shown(pk: uuid.UUID, *, is_terminal: bool) -> str:
    """For a list: as short as on the pages; complete where a program may read it."""
    return str(pk)[:SHORT] if is_terminal else str(pk)


def run_of(text: object, *, missing: str = "There is no run {}.") -> Run:
    """The run with this id, or the only one whose id starts so.

    Raises CommandError if there is none, or if there are several: then it lists them.
    """
    found = list(search.by_start_of_id(Run.objects.newest_first(), str(text))[: MOST_CHOICES + 1])
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(missing.format(text))
    choices = [f"  {run.pk}  {plain(run.requested_at)}  {run.task}" for run in found[:MOST_CHOICES]]
    more = ["  …"] if len(found) > MOST_CHOICES else []
    raise CommandError("\n".join([f"The ids of several runs start with {text}:", *choices, *more]))
