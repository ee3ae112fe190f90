"""``housekeeping_runs import``: exports are read by one run, and an undo of it puts their rows back."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from housekeeping.journal import acts
from housekeeping.management import by_hand
from housekeeping.management.base import OperatorCommand
from housekeeping.models import Run
from housekeeping.reading import as_json, words
from housekeeping.runs import control
from housekeeping.steering import imports


def put_back(command: OperatorCommand, options: dict[str, Any]) -> None:
    by, places = acts.operator(), _places(options)
    waiting = by_hand.waiting_run(
        imports.TASK, dry_run=False, plan=None, by=None, tell=command.stderr.write
    ) or control.request(imports.TASK, send=by_hand.tell_nobody, by=by)
    imports.store(places, by=by, run=waiting)
    read = by_hand.carry_out_waiting(waiting)
    if read.status != Run.Status.SUCCEEDED:
        raise CommandError(f"Nothing was put back. {read.error or read.status}")
    undo = by_hand.carry_out_waiting(control.undo(read, send=by_hand.tell_nobody, by=by))
    if options["json"]:
        command.print_json(as_json.run_in_full(undo))
    if undo.status != Run.Status.SUCCEEDED:
        raise CommandError(f"The import is not finished: {undo.error or undo.status}")
    result = undo.result or {}
    if not options["json"]:
        for table, rows in result.get("restored", {}).items():
            command.stdout.write(f"{words.rows(rows)} of {table}")
    left = result.get("not_restored", {})
    if left:
        lines = [f"  {words.rows(rows)} of {why}" for why, rows in left.items()]
        raise CommandError("\n".join(["Not put back:", *lines]))


def _places(options: dict[str, Any]) -> list[tuple[str, str]]:
    storage, source = options["storage"], options["source"]
    if storage:
        return [(storage, folder) for folder in imports.folders(storage, source)]
    if places := imports.of_run(source):
        return places
    raise CommandError(
        f"No export of the run {source} is known here. Name the folder of the files, and its --storage."
    )
