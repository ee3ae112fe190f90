"""Holds: list, add, change, end."""

import uuid
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from housekeeping.database import clock
from housekeeping.engine.holds import without_row
from housekeeping.journal import acts
from housekeeping.management import ids
from housekeeping.management.base import UNTIL, ActionCommand
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
        listing.add_argument("--model")
        listing.add_argument("--key")
        listing.add_argument(
            "--undo", metavar="RUN", type=ids.run_id, help=f"the undo that restored the rows: {ids.RUN}"
        )
        listing.add_argument("--active", action="store_true", help="leave out those that have ended")
        listing.add_argument("--limit", type=whole, default=20, help="default: 20")
        listing.add_argument("--json", action="store_true")

        adding = actions.add_parser("add", help="hold a row, so that no policy deletes it")
        adding.add_argument("model", help="such as chat.Conversation")
        adding.add_argument("key", help="the row's key")
        adding.add_argument("--until", default="", help=f"{UNTIL}; default: no end")
        adding.add_argument("--reason", required=True)
        adding.add_argument("--json", action="store_true")

        changing = actions.add_parser("change", help="change its end or its reason")
        changing.add_argument("id", help=WHICH)
        when = changing.add_mutually_exclusive_group()
        when.add_argument("--until", help=UNTIL)
        when.add_argument("--for-good", action="store_true")
        changing.add_argument("--reason", help="of a single hold")
        changing.add_argument("--json", action="store_true")

        ending = actions.add_parser("end", help="end a hold, so that policies may delete the row again")
        ending.add_argument("id", help=WHICH)
        ending.add_argument("--json", action="store_true")

    def _list(self, options: dict[str, Any]) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit is a whole number from 1.")
        filters = {name: options[name] for name in ("model", "key", "active") if options[name]}
        if options["undo"]:
            filters["undo"] = _undo_id(options["undo"])
        now = clock.now()
        newest = list(search.holds(filters, now)[: options["limit"]])
        gone = without_row(newest)
        if options["json"]:
            self.print_json([as_json.hold(hold, now, gone) for hold in newest])
            return
        for hold in newest:
            row = f"{hold} (row is gone)" if hold.pk in gone else str(hold)
            self.stdout.write(f"{hold.pk:<8} {row:<28} {_when(hold.until):<24} {hold.reason}")
        if not newest:
            self.stdout.write("No holds.")

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
        self._say(facts, options, f"{changed} holds now last {_when(changes['until'])}.")

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
        self._say(facts, options, f"{hold} {done} {_when(hold.until)}, hold {hold.pk}: {hold.reason}")

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
    return f"until {timezone.localtime(until):%Y-%m-%d %H:%M}" if until else "indefinitely"
