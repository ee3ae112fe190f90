"""Holds: list, add, change, end."""

import uuid
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Exists, OuterRef, QuerySet

from housekeeping.database import clock
from housekeeping.engine.holds import without_row
from housekeeping.journal import acts
from housekeeping.management import ids, tables
from housekeeping.management.base import JSON, UNTIL, ActionCommand, plain
from housekeeping.models import Hold, Run
from housekeeping.models.text import whole
from housekeeping.reading import as_json, search
from housekeeping.steering import holds

WHICH = f"a hold's number, or the undo that made them (all of its holds): {ids.RUN}"


class Command(ActionCommand):
    help = "Lists, adds, changes and ends holds: no policy deletes a row on hold."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="action")
        parser.set_defaults(
            action="list", model=None, key=None, undo=None, active=False, limit=20, json=False
        )

        listing = actions.add_parser("list", help="the newest holds (this is the default)")
        listing.add_argument("--model", help="of rows of this model, such as chat.Conversation")
        listing.add_argument("--key", help="of rows with this key")
        listing.add_argument(
            "--undo", metavar="RUN", type=ids.run_id, help=f"the undo that restored the rows: {ids.RUN}"
        )
        listing.add_argument("--active", action="store_true", help="leave out those that have ended")
        listing.add_argument("--limit", type=whole, default=20, help="how many; default: 20")
        listing.add_argument("--json", action="store_true", help=JSON)

        adding = actions.add_parser("add", help="hold a row, so that no policy deletes it")
        adding.add_argument("model", help="such as chat.Conversation")
        adding.add_argument("key", help="the row's key")
        adding.add_argument("--until", default="", help=f"{UNTIL}; default: no end")
        adding.add_argument("--reason", required=True, help="why the row has to stay")
        adding.add_argument("--json", action="store_true", help=JSON)

        changing = actions.add_parser("change", help="change its end or its reason")
        changing.add_argument("id", help=WHICH)
        when = changing.add_mutually_exclusive_group()
        when.add_argument("--until", help=UNTIL)
        when.add_argument("--for-good", action="store_true", help="without an end")
        changing.add_argument("--reason", help="of a single hold")
        changing.add_argument("--json", action="store_true", help=JSON)

        ending = actions.add_parser("end", help="end a hold, so that policies may delete the row again")
        ending.add_argument("id", help=WHICH)
        ending.add_argument("--json", action="store_true", help=JSON)

    def _list(self, options: dict[str, Any]) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit is a whole number from 1.")
        filters = {name: options[name] for name in ("model", "key", "active") if options[name]}
        if options["undo"]:
            filters["undo"] = _undo_id(options["undo"])
        now = clock.now()
        found = search.holds(filters, now)
        if options["json"]:
            newest = list(found[: options["limit"]])
            gone = without_row(newest)
            self.print_json([as_json.hold(hold, now, gone) for hold in newest])
            return
        if not found.exists():
            self.stdout.write("No holds.")
        elif options["undo"]:
            self._print_single(found, options["limit"])
        else:
            self._print_undos(found, options["limit"])
            self._print_single(found.filter(undo=None), options["limit"])

    def _print_undos(self, found: QuerySet[Hold], limit: int) -> None:
        """The holds of each undo as one line: there is one for each row that it has put back."""
        holding = Run.objects.newest_first().filter(Exists(found.filter(undo=OuterRef("pk"))))
        undos = list(holding[:limit])
        made = holds.groups(undos, among=found)
        if not undos:
            return
        heads = ("undo", tables.right("holds"), "until", "of")
        self.print_table(heads, [self._undo(run, made[run.pk]) for run in undos if run.pk in made])
        total = holding.count()
        self.print_shown(len(undos), total, f"--limit {total} shows all.")
        self.stdout.write("`list --undo RUN` lists the holds of one undo.")

    def _undo(self, run: Run, group: holds.Group) -> list[tables.Cell]:
        of = f"undo of {run.task}, {plain(run.requested_at)}"
        return [
            ids.shown(run.pk, is_terminal=self.stdout.isatty()),
            tables.number(group.count),
            _when(group.latest),
            of,
        ]

    def _print_single(self, found: QuerySet[Hold], limit: int) -> None:
        newest = list(found[:limit])
        gone = without_row(newest)
        rows = [
            (
                str(hold.pk),
                f"{hold} (row is gone)" if hold.pk in gone else str(hold),
                _when(hold.until),
                hold.reason,
            )
            for hold in newest
        ]
        if rows:
            self.print_table(("hold", "row", "until", "reason"), rows)
        total = found.count()
        self.print_shown(len(newest), total, f"--limit {total} shows all.")

    def _add(self, options: dict[str, Any]) -> None:
        until = holds.moment(options["until"])
        by = acts.operator()
        hold = holds.add(options["model"], options["key"], until=until, reason=options["reason"], by=by)
        self._show(hold, options, "is on hold")

    def _change(self, options: dict[str, Any]) -> None:
        changes: dict[str, Any] = {}
        if options["until"] is not None or options["for_good"]:
            changes["until"] = holds.moment(options["until"] or "")
        if options["reason"] is not None:
            changes["reason"] = options["reason"]
        if not changes:
            raise CommandError("Say what to change: --until, --for-good or --reason.")
        target = _target(options["id"])
        if isinstance(target, Hold):
            self._show(holds.change(target, **changes, by=acts.operator()), options, "is on hold")
            return
        if "reason" in changes:
            raise CommandError("The holds of an undo keep their reason; leave --reason out.")
        changed = holds.change_all(target, changes["until"], by=acts.operator())
        facts = as_json.HoldsChanged.of(None, changed=changed, until=as_json.iso(changes["until"]))
        self._say(facts, options, f"{changed} holds now last {_until(changes['until'])}.")

    def _end(self, options: dict[str, Any]) -> None:
        target = _target(options["id"])
        if isinstance(target, Hold):
            holds.end(target, by=acts.operator())
            self._say(as_json.HoldsEnded.of(None, ended=1), options, f"Ended the hold on {target}.")
            return
        ended = holds.end_all(target, by=acts.operator())
        self._say(as_json.HoldsEnded.of(None, ended=ended), options, f"Ended {ended} holds.")

    def _show(self, hold: Hold, options: dict[str, Any], done: str) -> None:
        facts = as_json.hold(hold, clock.now(), without_row([hold]))
        self._say(facts, options, f"{hold} {done} {_until(hold.until)}, hold {hold.pk}: {hold.reason}")

    def _say(self, facts: dict[str, Any], options: dict[str, Any], sentence: str) -> None:
        if options["json"]:
            self.print_json(facts)
        else:
            self.stdout.write(sentence)


def _target(name: str) -> Hold | Run:
    if name.isascii() and name.isdecimal() and len(name) < 19:
        hold = Hold.objects.filter(pk=int(name)).first()
        if hold:
            return hold
        if len(name) < ids.SHORT:  # else it may also be the start of a run's id
            raise CommandError(f"There is no hold {name}.")
    missing = "There is no hold and no run {!r}."
    if not search.is_start_of_id(name, least=ids.SHORT):
        raise CommandError(missing.format(name))
    return ids.run_of(name, missing=missing)


def _undo_id(text: str) -> uuid.UUID:
    """A complete id may be of a run that history has deleted: its list of holds is empty, and no error."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return ids.run_of(text).pk


def _when(until: datetime | None) -> str:
    return plain(until) if until else "no end"


def _until(until: datetime | None) -> str:
    return f"until {plain(until)}" if until else "indefinitely"
