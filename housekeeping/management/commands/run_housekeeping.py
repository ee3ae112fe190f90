"""Run a task here and now, in this process, and print its result."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from housekeeping.declared.registry import TASKS
from housekeeping.exceptions import PlanInDryRun, RunInProgress
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.management import by_hand, ids
from housekeeping.management.base import OperatorCommand
from housekeeping.models import Run
from housekeeping.reading import as_json, ends, words
from housekeeping.runs import control


class Command(OperatorCommand):
    help = (
        "Runs a housekeeping task here and now, and prints its result."
        " A run of it that waits for a consumer is carried out instead of a new one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        if "all" in TASKS:
            parser.add_argument("--task", choices=list(TASKS), default="all", help="default: all")
        else:
            parser.add_argument("--task", choices=list(TASKS), required=True, help="which task")
        parser.add_argument(
            "--dry-run", action="store_true", help="delete nothing; show what would be deleted"
        )
        parser.add_argument(
            "--plan",
            metavar="RUN",
            type=ids.run_id,
            help=f"delete exactly the rows of this dry run: {ids.RUN}",
        )
        parser.add_argument(
            "--yes",
            action="store_true",
            help="approve the run beforehand, so that the brake does not hold it",
        )
        parser.add_argument("--json", action="store_true", help="print message, result and run as JSON")

    def handle(self, *args: Any, task: str, dry_run: bool, **options: Any) -> None:
        try:
            control.check_kind(dry_run=dry_run, has_plan=bool(options["plan"]))
        except PlanInDryRun:
            text = "--dry-run makes a plan and can't carry one out: leave out --plan."
            raise CommandError(text, returncode=2) from None
        is_approved = options["yes"] and not dry_run  # a dry run is never held
        by = acts.operator()
        plan = ids.run_of(options["plan"]) if options["plan"] else None
        approved_by = by if is_approved else None
        run = by_hand.waiting_run(task, dry_run=dry_run, plan=plan, by=approved_by, tell=self.stderr.write)
        if run:
            run = by_hand.carry_out_waiting(run, approved_by=approved_by)
        else:
            run = self._ask_and_carry_out(task, dry_run, plan, by, is_approved=is_approved)
        if options["json"]:
            self._print_json(run)
        else:
            self._print(run)
        if run.status == Run.Status.HELD:
            raise SystemExit(by_hand.HELD)
        if run.status != Run.Status.SUCCEEDED:
            raise SystemExit(1)

    def _ask_and_carry_out(
        self, task: str, dry_run: bool, plan: Run | None, by: Actor, *, is_approved: bool
    ) -> Run:
        """Open a run and carry it out. Cancels it if it is stopped, or can't be started."""
        try:
            run = control.request(
                task, send=by_hand.tell_nobody, dry_run=dry_run, is_approved=is_approved, plan=plan, by=by
            )
        except RunInProgress as error:  # requested a moment ago
            raise by_hand.refusal(error.run, is_in_plan_s_way=plan is not None) from None
        try:
            return by_hand.carry_out(run)
        except KeyboardInterrupt:
            if not by_hand.was_stopped(run):
                return run
            run = control.cancel(run, by=by)
            stay = {
                ends.DELETED: "deleted rows stay deleted",
                ends.ANONYMOUS: "anonymous rows stay anonymous",
            }
            text = f"Cancelled after {run.done} rows; {stay.get(ends.of(run), 'what is done stays so')}."
            raise CommandError(text) from None
        except CommandError:
            # Otherwise a consumer would carry it out later, with --yes even as approved.
            if Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED, attempts=0).exists():
                control.cancel(run, by=by)
            raise

    def _print_json(self, run: Run) -> None:
        self.print_json(as_json.Ended.of(run, run=as_json.run(run, as_json.texts(run))))

    def _print(self, run: Run) -> None:
        style = self.style.SUCCESS if run.status == Run.Status.SUCCEEDED else self.style.ERROR
        self.stdout.write(style(words.message(run)))
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
            if spared := words.in_use(facts.get("in_use", 0)):
                self.stdout.write(self.style.WARNING(f"  {policy}:{spared}"))
