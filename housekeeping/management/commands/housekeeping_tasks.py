"""The tasks: list, pause, resume, acknowledge; the trends of one."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from housekeeping.database import clock
from housekeeping.declared.registry import find_task
from housekeeping.journal import acts
from housekeeping.management import tables
from housekeeping.management.base import JSON, UNTIL, ActionCommand, plain
from housekeeping.models import in_words
from housekeeping.reading import as_json, tasks
from housekeeping.reading.runs import trends
from housekeeping.runs import acknowledgements, schedules
from housekeeping.steering import holds

TASK = "the task's name, as `list` shows it"


class Command(ActionCommand):
    help = (
        "Lists the tasks; pauses or resumes one, acknowledges that it fails, or tells its trends."
        " A paused task runs only when a person starts it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="action")
        parser.set_defaults(action="list", json=False)

        listing = actions.add_parser("list", help="every task (this is the default)")
        listing.add_argument("--json", action="store_true", help=JSON)
        pausing = actions.add_parser("pause", help="let no schedule, catch-up or automatic retry start it")
        pausing.add_argument("task", help=TASK)
        pausing.add_argument("--reason", default="", help="why, for those who find it paused")
        actions.add_parser("resume", help="continue from now on").add_argument("task", help=TASK)
        known = actions.add_parser("acknowledge", help="leave its failures out of the verdict")
        known.add_argument("task", help=TASK)
        known.add_argument("--reason", default="", help="why nobody needs to look at it")
        known.add_argument("--until", default="", help=f"{UNTIL}; default: until it succeeds")
        trending = actions.add_parser("trends", help="its runs, rows and durations by day, and what is usual")
        trending.add_argument("task", help=TASK)
        trending.add_argument(
            "--days",
            type=int,
            choices=range(1, 367),
            default=30,
            metavar="DAYS",
            help="how many; default: 30",
        )
        trending.add_argument("--json", action="store_true", help=JSON)
        actions.add_parser("unacknowledge", help="count its failure again").add_argument("task", help=TASK)

    def _list(self, options: dict[str, Any]) -> None:
        cards = tasks.cards()
        if options["json"]:
            self.print_json([as_json.Task.of(card) for card in cards])
            return
        self.print_table(("task", "latest run", "requested", "remarks"), map(_line, cards))

    def _trends(self, options: dict[str, Any]) -> None:
        trend = trends.of_task(options["task"], clock.roughly(), days=options["days"])
        if options["json"]:
            self.print_json(as_json.TaskTrends.of(trend))
            return
        together = [_period("last 7 days", trend.recent), _period("28 days before them", trend.before)]
        days = [_period(str(day.first), day) for day in trend.days if day.runs]
        heads: list[tables.Cell] = ["days", *map(tables.right, ("runs", "failed", "rows", "p50", "p95"))]
        self.print_table(heads, together + days)
        if trend.usual:
            took, rows = in_words(trend.usual.duration), f"{trend.usual.rows:,}"
            self.stdout.write(f"A usual run takes {took} and deletes {rows} rows.")

    def _pause(self, options: dict[str, Any]) -> None:
        schedules.pause_task(options["task"], reason=options["reason"], by=acts.operator())
        self.stdout.write(f"{options['task']} is paused.")

    def _resume(self, options: dict[str, Any]) -> None:
        schedules.resume_task(options["task"], by=acts.operator())
        self.stdout.write(f"{options['task']} is resumed.")

    def _acknowledge(self, options: dict[str, Any]) -> None:
        until = holds.moment(options["until"])
        acknowledgements.acknowledge(
            options["task"], until=until, reason=options["reason"], by=acts.operator()
        )
        self.stdout.write(f"{options['task']} is acknowledged {_until(until)}.")

    def _unacknowledge(self, options: dict[str, Any]) -> None:
        find_task(options["task"])
        done = acknowledgements.end(options["task"], by=acts.operator())
        self.stdout.write(f"{options['task']} {'counts again' if done else 'was not acknowledged'}.")


def _line(card: tasks.TaskCard) -> list[tables.Cell]:
    latest = card.latest
    mark = f" ({latest.kind})" if latest and latest.kind != "run" else ""
    state = tables.state(latest.status if latest else "never", mark)
    requested = plain(latest.requested_at) if latest else ""
    remarks = "; ".join(filter(None, (_pause(card), _known(card))))
    return [card.task.name, state, requested, remarks]


def _period(name: str, period: trends.Period) -> list[tables.Cell]:
    counts = map(tables.number, (period.runs, period.failures, period.rows))
    durations = [in_words(each) or "-" for each in (period.p50, period.p95)]
    return [name, *counts, *map(tables.right, durations)]


def _until(until: datetime | None) -> str:
    return f"until {plain(until)}" if until else "until it succeeds"


def _pause(card: tasks.TaskCard) -> str:
    if card.pause is None:
        return ""
    why = f": {card.pause.reason}" if card.pause.reason else ""
    return f"paused by {card.pause.changed_by or 'the site'}{why}"


def _known(card: tasks.TaskCard) -> str:
    state = card.acknowledged
    if state is None:
        return ""
    why = f": {state.acknowledged_reason}" if state.acknowledged_reason else ""
    who = state.acknowledged_by or "the site"
    return f"acknowledged by {who} {_until(state.acknowledged_until)}{why}"
