"""The schedules: list, pause, resume, change, reset, run now."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from housekeeping.database import clock
from housekeeping.declared.registry import SCHEDULES
from housekeeping.declared.triggers import parse
from housekeeping.journal import acts
from housekeeping.management import tables
from housekeeping.management.base import JSON, ActionCommand, plain
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json, overview, words
from housekeeping.reading.overview import ScheduleCard
from housekeeping.runs import control, schedules

ID = "the schedule's id, as `list` shows it"


class Command(ActionCommand):
    help = "Lists the schedules; pauses, resumes, changes or resets one; runs one now."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="action")
        parser.set_defaults(action="list", json=False)

        listing = actions.add_parser("list", help="every schedule (this is the default)")
        listing.add_argument("--json", action="store_true", help=JSON)
        for action in ("pause", "resume"):
            steering = actions.add_parser(action, help=f"{action} one schedule, or all")
            steering.add_argument("id", help="a schedule's id, or: all")
        changing = actions.add_parser("change", help="run by another trigger, until it is reset")
        changing.add_argument("id", help=ID)
        changing.add_argument("trigger", help="'0 2 * * *' (five cron fields) or '06:00:00' ([D ]HH:MM:SS)")
        changing.add_argument("--dry-run", action="store_true", help="only show the next five fire times")
        for action, text in (
            ("reset", "run by the declared trigger again"),
            ("run", "ask a consumer to run it now"),
        ):
            actions.add_parser(action, help=text).add_argument("id", help=ID)

    def _list(self, options: dict[str, Any]) -> None:
        now = clock.now()
        cards = overview.scheduler_status(now).schedules
        if options["json"]:
            self.print_json([as_json.schedule(card, now) for card in cards])
            return
        self.print_table(("schedule", "next run", "trigger"), map(_line, cards))

    def _pause(self, options: dict[str, Any]) -> None:
        self._each(options["id"], schedules.pause, "paused")

    def _resume(self, options: dict[str, Any]) -> None:
        self._each(options["id"], schedules.resume, "resumed")

    def _each(self, schedule_id: str, steer: Callable[..., schedules.Entry], done: str) -> None:
        ids = list(SCHEDULES) if schedule_id == "all" else [schedule_id]
        for one in ids:
            steer(one, by=acts.operator())
            self.stdout.write(f"{one} is {done}.")

    def _change(self, options: dict[str, Any]) -> None:
        schedules.find(options["id"])
        trigger = parse(options["trigger"])
        self.stdout.write(f"{options['id']} by {trigger} runs at:")
        for moment in schedules.fire_times(trigger, clock.now()):
            self.stdout.write(f"  {plain(moment)}")
        if options["dry_run"]:
            self.stdout.write("Nothing is changed yet: leave out --dry-run to save it.")
            return
        schedules.change(options["id"], options["trigger"], by=acts.operator())
        self.stdout.write("Saved. Consumers use it within a second or two.")

    def _reset(self, options: dict[str, Any]) -> None:
        entry = schedules.reset(options["id"], by=acts.operator())
        self.stdout.write(f"{options['id']} runs as declared again: {entry.trigger}.")

    def _run(self, options: dict[str, Any]) -> None:
        schedule = schedules.find(options["id"]).schedule
        run = control.request(schedule.task.name, send=queue.send, schedule=schedule.id, by=acts.operator())
        self.stdout.write(f"{words.message(run)}. Run {run.pk}")


def _line(card: ScheduleCard) -> list[tables.Cell]:
    when = plain(card.next_run_at) if card.next_run_at else tables.state("paused")
    changed = f" (declared: {card.schedule.trigger})" if card.entry.changed_trigger else ""
    return [card.schedule.id, when, f"{card.entry.trigger}{changed}"]
