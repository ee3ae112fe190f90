"""The policies: list, preview, change or reset how long rows are kept."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from housekeeping.database import clock
from housekeeping.declared import registry
from housekeeping.declared.ends import Anonymise, End
from housekeeping.journal import acts
from housekeeping.management import tables
from housekeeping.management.base import JSON, ActionCommand
from housekeeping.reading import as_json, policies, words
from housekeeping.steering import retentions

NAME = "the policy's name, as `list` shows it"


class Command(ActionCommand):
    help = "Lists the policies with what is past due; previews one; changes or resets its retention."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="action")
        parser.set_defaults(action="list", json=False)

        listing = actions.add_parser("list", help="every policy (this is the default)")
        listing.add_argument("--json", action="store_true", help=JSON)
        looking = actions.add_parser("preview", help="what would be deleted now, and by other retentions")
        looking.add_argument("name", help=NAME)
        looking.add_argument("--retention-days", metavar="DAYS", help="instead of the retention in force")
        looking.add_argument("--json", action="store_true", help=JSON)
        changing = actions.add_parser("change", help="keep rows for so many days, until it is reset")
        changing.add_argument("name", help=NAME)
        changing.add_argument("days", help="whole days, from 1")
        changing.add_argument("--yes", action="store_true", help="save a shorter one, too")
        resetting = actions.add_parser("reset", help="keep rows as long as declared")
        resetting.add_argument("name", help=NAME)

    def _list(self, options: dict[str, Any]) -> None:
        cards = policies.cards()
        if options["json"]:
            self.print_json([as_json.Policy.of(card) for card in cards])
            return
        heads = ("policy", "retention", tables.right("past due"), "remarks")
        self.print_table(heads, map(_line, cards))

    def _preview(self, options: dict[str, Any]) -> None:
        days = options["retention_days"]
        facts = policies.preview(
            options["name"], clock.now(), retention_days=None if days is None else retentions.parse(days)
        )
        if options["json"]:
            self.print_json(as_json.Preview.of(facts))
            return
        for table, rows in facts["tables"].items():
            would = "made anonymous" if "then" in facts else "deleted"
            self.stdout.write(f"{table}: {rows:,} rows would be {would}")
        for reason, rows in facts["held_back"].items():
            if rows:
                self.stdout.write(f"{rows:,} rows are past due and stay: {reason}")
        if facts["oldest"]:
            self.stdout.write(f"from {facts['oldest']} to {facts['newest']}")
        if facts["warning"]:
            self.stdout.write(self.style.WARNING(facts["warning"]))
        for one in facts["what_if"]:
            self.stdout.write(f"kept for {one['retention_days']:>3} days: {one['rows']:,} rows past due")

    def _change(self, options: dict[str, Any]) -> None:
        name, policy = options["name"], registry.find_policy(options["name"])
        days = retentions.parse_for(policy, options["days"])
        effect = retentions.effect(policy, days, clock.now())
        does = "makes {} rows anonymous" if policy.anonymises else "deletes {} rows"
        self.stdout.write(
            f"At {days} days the next run {does.format(f'{effect.rows:,}')};"
            f" at {effect.days_now}, {effect.rows_now:,}."
        )
        if effect.is_shorter and not options["yes"]:
            raise CommandError("Nothing is changed: rows would be kept for less long. Add --yes to save it.")
        retentions.change(name, days, by=acts.operator())
        self.stdout.write(f"Rows of {name} are kept for {days} days from the next run on.")

    def _reset(self, options: dict[str, Any]) -> None:
        policy = retentions.reset(options["name"], by=acts.operator())
        self.stdout.write(
            f"Rows of {policy.name} are kept as declared: {retentions.declared_days(policy)} days."
        )


def _line(card: policies.PolicyCard) -> list[tables.Cell]:
    retention = "any age" if card.retention_days is None else f"{card.retention_days} days"
    if card.retention_range:
        retention = words.kept(card.retention_range)
    elif card.policy.counts_newer:
        retention = words.stays(card.policy)
    declared = f" (declared: {card.declared_days})" if card.is_changed else ""
    remarks = "; ".join(filter(None, [*map(_end, card.policy.ends), card.error]))
    return [card.policy.name, retention + declared, tables.number(card.rows_due), remarks]


def _end(end: End) -> str:
    if isinstance(end, Anonymise):
        return f"{', '.join(end.values)} {'is' if len(end.values) == 1 else 'are'} made anonymous"
    return f"exported to {end.storage} first"
