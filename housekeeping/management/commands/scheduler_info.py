"""Print whether a consumer runs the schedules, and when each is due."""

from typing import Any

from django.core.management.base import CommandParser

from housekeeping.database import clock
from housekeeping.management.base import OperatorCommand, plain
from housekeeping.models import Consumer
from housekeeping.reading import as_json, overview
from housekeeping.reading.overview import PAUSED, RUNNING, STOPPED

RULE = "=" * 80
STATES = {STOPPED: 0, RUNNING: 1, PAUSED: 2}


class Command(OperatorCommand):
    help = "Shows the scheduler's state and every schedule with its next run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as the API's status")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        scheduler = overview.scheduler_status(now)
        if options["json"]:
            self.print_json(as_json.SchedulerStatus.of(scheduler))
            return
        lines = [
            RULE,
            "Scheduler Status",
            RULE,
            f"Scheduler State: {STATES[scheduler.status]} ({scheduler.status})",
            f"Current Time: {plain(now)}",
            *(one.clock_in_words for one in Consumer.objects.alive(now) if one.has_wrong_clock),
            "",
            f"Total Scheduled Jobs: {len(scheduler.listed)}",
            RULE,
        ]
        for number, card in enumerate(scheduler.listed, start=1):
            lines += [
                "",
                f"Job #{number}:",
                f"  ID: {card.schedule.id}",
                f"  Name: {card.schedule.name}",
                f"  Next Run: {plain(card.next_run_at) if card.next_run_at else 'paused'}",
                f"  Trigger: {card.entry.trigger}",
            ]
        lines.append(RULE)
        self.stdout.write("\n".join(lines))
