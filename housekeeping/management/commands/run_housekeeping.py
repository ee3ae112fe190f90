"""Run a task here and now, in this process, and print its result."""

import sys
import uuid
from contextlib import redirect_stdout
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from housekeeping import acts, as_json, outbox, overview, run_page, runs
from housekeeping.management.base import OperatorCommand, run_of
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.registry import TASKS

HELD = 3  # the exit status that tells a script: nothing is deleted, approve it or run with --yes


class Command(OperatorCommand):
    help = "Runs a housekeeping task here and now, and prints its result."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--task", choices=list(TASKS), default="all", help="default: all")
        parser.add_argument("--dry-run", action="store_true", help="delete nothing; say what would go")
        parser.add_argument("--plan", metavar="RUN", type=uuid.UUID, help="delete what that dry run has seen")
        parser.add_argument("--yes", action="store_true", help="approve beforehand what would be held")
        parser.add_argument("--json", action="store_true", help="print message, result and run as JSON")

    def handle(self, *args: Any, task: str, dry_run: bool, **options: Any) -> None:
        run = runs.request(
            task,
            send=lambda run: None,  # this process is the one that carries it out
            dry_run=dry_run,
            is_approved=options["yes"],
            plan=run_of(options["plan"]) if options["plan"] else None,
            by=acts.operator(),
        )
        run = self._execute(run)
        if options["json"]:
            self._print_json(run)
        else:
            self._print(run)
        if run.status == Run.Status.HELD:
            raise SystemExit(HELD)
        if run.status != Run.Status.SUCCEEDED:
            raise SystemExit(1)

    def _execute(self, run: Run) -> Run:
        claimed = runs.claim(run.pk, run.attempts)
        if claimed is None:
            # Left behind, a consumer would carry it out later, and with --yes as approved.
            if Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED, attempts=0).exists():
                runs.cancel(run, by=acts.operator())
                raise CommandError(f"Another run of {run.task} has begun meanwhile; this one is cancelled.")
            raise CommandError(f"Run {run.pk} was taken by another process.")
        # disable=None: a bar on a terminal, silence in a log. What a task prints, such as a mail
        # where EMAIL_URL is the console, must not stand in the middle of our JSON.
        with redirect_stdout(sys.stderr), tqdm(total=0, unit=" rows", disable=None, leave=False) as bar:

            def watch(run: Run) -> None:
                progress = run.progress()
                bar.total = progress["total"]
                bar.update(progress["done"] - bar.n)

            try:
                run = runs.execute(claimed, watch=watch, gone=queue.forget_results, publish=queue.keep_result)
            except KeyboardInterrupt:
                run = runs.cancel(run, by=acts.operator())
                raise CommandError(
                    f"Cancelled after {run.done} rows; what is deleted stays deleted."
                ) from None
            # Under cron, without a consumer, nobody else sends what waits in the outbox.
            outbox.send_if_nobody_else()
            outbox.settle()
        return run

    def _print_json(self, run: Run) -> None:
        facts = as_json.run(run, as_json.words(run))
        answer = {"message": overview.message(run), "result": run.result, "run": facts}
        self.print_json(answer)

    def _print(self, run: Run) -> None:
        style = self.style.SUCCESS if run.status == Run.Status.SUCCEEDED else self.style.ERROR
        self.stdout.write(style(overview.message(run)))
        for name, number in run.result_lines():
            self.stdout.write(f"  {name}: {number}")
        if run.error:
            self.stderr.write(self.style.ERROR(run.error))
        self._print_receipt(run)
        self.stdout.write(f"Run {run.pk} {run.status}")

    def _print_receipt(self, run: Run) -> None:
        for policy, facts in (run.receipt or run.plan).items():
            tables = facts.get("rows") if run.receipt else facts["tables"]
            for table, rows in (tables or {}).items():
                self.stdout.write(f"  {policy}: {rows:,} rows of {table}")
            for key in ("warning", "stopped"):
                if facts.get(key):
                    self.stdout.write(self.style.WARNING(f"  {policy}: {facts[key]}"))
            if spared := run_page.in_use(facts.get("in_use", 0)):
                self.stdout.write(self.style.WARNING(f"  {policy}:{spared}"))
