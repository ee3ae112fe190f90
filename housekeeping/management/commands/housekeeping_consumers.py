"""The consumers, and what each of their workers does now."""

from typing import Any

from django.core.management.base import CommandParser

from housekeeping.database import clock
from housekeeping.management.base import OperatorCommand, plain
from housekeeping.reading import as_json, workers
from housekeeping.reading.workers import ConsumerCard, Work


class Command(OperatorCommand):
    help = "Lists the consumers, and what each of their workers does now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        found = workers.read(clock.roughly())
        if json:
            self.print_json(as_json.ConsumerList.of(found))
            return
        for card in found.consumers:
            self.stdout.write(f"{card.consumer} {_state(card)}")
            for work in card.doing:
                self._print_work(work)
        for work in found.commands:
            self.stdout.write("A command, without a consumer")
            self._print_work(work)
        if not found.consumers and not found.commands:
            self.stdout.write("No consumer was alive in the last 24 hours.")
        if not found.tells_lock_waits:
            self.stdout.write("This database can't tell who waits for a lock.")

    def _print_work(self, work: Work) -> None:
        run, progress = work.run, work.run.progress()
        speed = "" if run.rows_per_second is None else f", {run.rows_per_second:,.0f} rows/s"
        since = f", since {plain(work.since)}" if work.since else ""
        self.stdout.write(
            f"    {work.worker or '?'}: {run.task} {run.pk}, batch {work.batch},"
            f" {progress['done']:,} of {progress['total']:,} rows{speed}{since}"
        )
        if wait := work.lock_wait:
            holders = ", ".join(f"{one.pid} ({one.application or one.user})" for one in wait.holders)
            by = f"; held by {holders}" if holders else ""
            text = f"        waits for a lock, since {plain(wait.since)}{by}"
            self.stdout.write(self.style.WARNING(text))


def _state(card: ConsumerCard) -> str:
    row = card.consumer
    if row.stopped_at:
        return f"stopped {plain(row.stopped_at)}"
    if not card.is_alive:
        return f"no heartbeat since {plain(row.last_heartbeat_at)}"
    return f"alive, {len(card.doing)} of {row.workers} workers ({row.worker_type}) busy"
