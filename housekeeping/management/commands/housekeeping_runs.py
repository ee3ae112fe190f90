"""The history of runs: list, show one, cancel, retry, approve, undo, verify, carry out."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from housekeeping.engine import verification
from housekeeping.journal import acts
from housekeeping.management import by_hand, ids, importing, run_in_full, tables
from housekeeping.management.base import JSON, OperatorCommand, plain
from housekeeping.models import Run
from housekeeping.models.text import whole
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json, search
from housekeeping.runs import control

# These send the run to a consumer.
SENDING = {"retry": control.retry, "approve": control.approve}

HEADS = ("run", "requested", "status", "cause", "task", "result or error")


class Command(OperatorCommand):
    help = (
        "Lists the runs, shows one with its result, cancels, retries, approves, undoes, verifies"
        " or carries out one. Puts back what runs have exported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="action")
        # The default action is the list, with its own defaults.
        parser.set_defaults(
            action="list", task=None, status=None, schedule=None, cause=None, limit=20, json=False
        )

        listing = actions.add_parser("list", help="the newest runs (this is the default)")
        listing.add_argument("--task", help="only runs of this task")
        listing.add_argument("--schedule", help="only runs of this schedule")
        listing.add_argument("--status", choices=Run.Status.values, help="only runs with this status")
        listing.add_argument("--cause", choices=Run.Cause.values, help="only runs that this has started")
        listing.add_argument("--limit", type=whole, default=20, help="how many; default: 20")
        listing.add_argument("--json", action="store_true", help=JSON)

        for action, text in (
            ("show", "one run, with its result or its error and traceback"),
            ("cancel", "cancel a run that has not ended"),
            ("retry", "run again a run that failed, was cancelled or was missed"),
            ("approve", "let a run that the brake holds continue"),
            ("undo", "restore everything that a run has deleted (by a consumer)"),
            ("carry-out", "carry out a waiting run here and now"),
        ):
            one = actions.add_parser(action, help=text)
            one.add_argument("id", type=ids.run_id, help=ids.RUN)
            one.add_argument("--json", action="store_true", help=JSON)
            if action == "undo":
                one.add_argument(
                    "--unverified",
                    action="store_true",
                    help="also restore archives that can't be verified, such as those of version 1.0",
                )
                one.add_argument(
                    "--intact-only",
                    action="store_true",
                    help="restore the intact batches if others are damaged",
                )

        verify = actions.add_parser("verify", help="verify the archives of runs; exit 1 if damaged")
        verify.add_argument(
            "id", type=ids.run_id, nargs="?", help=f"{ids.RUN}; default: every run with archives"
        )
        verify.add_argument("--json", action="store_true", help=JSON)

        bringing = actions.add_parser(
            "import", help="put back rows that were exported, here and now; exit 1 if some stay out"
        )
        bringing.add_argument("source", help=f"{ids.RUN}; or, with --storage, a folder with exports")
        bringing.add_argument("--storage", help="the name of the folder's storage in STORAGES")
        bringing.add_argument("--json", action="store_true", help=JSON)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "import":
            importing.put_back(self, options)
            return
        if action == "list":
            self._list(options)
            return
        if action == "verify":
            self._verify(options)
            return
        run, by = ids.run_of(options["id"]), acts.operator()
        if action == "cancel":
            run = control.cancel(run, by=by)
        elif action == "undo":
            asked = {name: options[name] for name in ("unverified", "intact_only")}
            run = control.undo(run, send=queue.send, by=by, **asked)
        elif action == "carry-out":
            run = by_hand.carry_out_waiting(run)
        elif action in SENDING:
            run = SENDING[action](run, send=queue.send, by=by)
        if options["json"]:
            self.print_json(as_json.run_in_full(run))
        else:
            run_in_full.write(run, self)
        if action == "carry-out" and run.status != Run.Status.SUCCEEDED:
            raise SystemExit(by_hand.HELD if run.status == Run.Status.HELD else 1)

    def _verify(self, options: dict[str, Any]) -> None:
        undoable = verification.in_undo_window().order_by("requested_at", "pk")
        found = [ids.run_of(options["id"])] if options["id"] else undoable
        reports = [verification.verify(run) for run in found]
        if options["json"]:
            self.print_json([as_json.Verified.of(report) for report in reports])
        elif reports:
            self.print_table(
                ("run", "state", tables.right("archives"), "receipts"), map(self._state, reports)
            )
            for report in reports:
                for finding in report.findings():
                    self.stdout.write(f"{report.run.pk}: {finding}")
        else:
            self.stdout.write("No run has archives.")
        if any(report.findings() for report in reports):
            sys.exit(1)

    def _state(self, report: verification.Report) -> list[tables.Cell]:
        return [
            ids.shown(report.run.pk, is_terminal=self.stdout.isatty()),
            tables.state("damaged" if report.findings() else "intact"),
            tables.number(report.archives),
            ", ".join(f"{name} {state}" for name, state in report.receipts.items()),
        ]

    def _list(self, options: dict[str, Any]) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit is a whole number from 1.")
        found = search.runs(options)
        newest = list(found.select_related("consumer")[: options["limit"]])
        if options["json"]:
            texts = as_json.texts(*newest)
            self.print_json([as_json.run(run, texts) for run in newest])
            return
        if not newest:
            self.stdout.write("No runs.")
            return
        self.print_table(HEADS, [self._line(run) for run in newest])
        total = found.count()
        self.print_shown(len(newest), total, f"--limit {total} shows all.")

    def _line(self, run: Run) -> list[tables.Cell]:
        return [
            ids.shown(run.pk, is_terminal=self.stdout.isatty()),
            plain(run.requested_at),
            tables.state(run.status),
            run.cause,
            _what(run),
            run.error.splitlines()[0] if run.error else _short(run.result),
        ]


def _what(run: Run) -> str:
    mark = " (dry run)" if run.dry_run else " (unusual)" if run.is_unusual else ""
    return f"{'undo of ' if run.undo_of_id else ''}{run.task}{mark}"


def _short(result: dict[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (result or {}).items() if isinstance(value, int))
