"""The consumers, and what each of their workers does now."""

from typing import Any

from django.core.management.base import CommandParser

from housekeeping.database import clock
from housekeeping.management import ids
from housekeeping.management.base import JSON, OperatorCommand, plain
from housekeeping.management.tables import Cell, number, right, state
from housekeeping.reading import as_json, workers
from housekeeping.reading.workers import ConsumerCard, Work

WORK_HEADS: list[Cell] = [
    "worker",
    "of",
    "run",
    "task",
    right("batch"),
    right("rows"),
    right("rows/s"),
    "since",
]


class Command(OperatorCommand):
    help = "Lists the consumers, and what each of their workers does now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help=JSON)

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        found = workers.read(clock.roughly())
        if json:
            self.print_json(as_json.ConsumerList.of(found))
            return
        works = [(str(card.consumer), work) for card in found.consumers for work in card.doing]
        works += [("a command", work) for work in found.commands]
        if found.consumers:
            self.print_table(("consumer", "state", "workers"), map(_line, found.consumers))
        if found.consumers and works:
            self.stdout.write("")
        if works:
            self.print_table(WORK_HEADS, [self._work(of, work) for of, work in works])
        for _, work in works:
            self._print_lock_wait(work)
        if not found.consumers and not works:
            self.stdout.write("No consumer was alive in the last 24 hours.")
        if not found.tells_lock_waits:
            self.stdout.write("This database can't tell who waits for a lock.")

    def _work(self, of: str, work: Work) -> list[Cell]:
        run, progress = work.run, work.run.progress()
        return [
            work.worker or "?",
            of,
            ids.shown(run.pk, is_terminal=self.stdout.isatty()),
            run.task,
            number(work.batch),
            right(f"{progress['done']:,} of {progress['total']:,}"),
            right("-" if run.rows_per_second is None else f"{run.rows_per_second:,.0f}"),
            plain(work.since) if work.since else "-",
        ]

    def _print_lock_wait(self, work: Work) -> None:
        wait = work.lock_wait
        if wait:
            holders = ", ".join(f"{one.pid} ({one.application or one.user})" for one in wait.holders)
            by = f"; held by {holders}" if holders else ""
            text = f"{work.worker or '?'} waits for a lock, since {plain(wait.since)}{by}"
            self.stdout.write(self.style.WARNING(text))


def _line(card: ConsumerCard) -> list[Cell]:
    row = card.consumer
    if row.stopped_at:
        return [str(row), f"stopped {plain(row.stopped_at)}", ""]
    if not card.is_alive:
        return [str(row), f"no heartbeat since {plain(row.last_heartbeat_at)}", ""]
    return [str(row), state("alive"), f"{len(card.doing)} of {row.workers} busy ({row.worker_type})"]
