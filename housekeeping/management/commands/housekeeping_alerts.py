"""Alerts: list what is wrong and who is told, look for incidents, send a test."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.management.base import CommandParser

from housekeeping.database import clock
from housekeeping.journal import acts, channels, outbox
from housekeeping.journal.alerting import messages
from housekeeping.management import tables
from housekeeping.management.base import JSON, ActionCommand, plain
from housekeeping.models import Channel, Delivery
from housekeeping.models.text import whole
from housekeeping.reading import as_json
from housekeeping.reading.alerting import alerts, watch
from housekeeping.steering.channels import send_test


class Command(ActionCommand):
    help = "Lists open incidents, channels and what was sent; looks for incidents; sends a test message."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="action")
        parser.set_defaults(action="list", limit=20, json=False)

        listing = actions.add_parser("list", help="what is wrong, who is told, what was sent (the default)")
        listing.add_argument("--limit", type=whole, default=20, help="of messages; default: 20")
        listing.add_argument("--json", action="store_true", help=JSON)
        actions.add_parser("look", help="look for incidents now, as a consumer does twice a minute")
        testing = actions.add_parser("test", help="send a test message through a channel")
        testing.add_argument("channel", help="its name, as `list` shows it")

    def _list(self, options: dict[str, Any]) -> None:
        incidents = list(alerts.incidents({"open": True}))
        known, total = channels.known(), alerts.sent({}).count()
        sent = list(alerts.sent({})[: options["limit"]])
        if options["json"]:
            self.print_json(
                {
                    "incidents": [as_json.Incident.of(one) for one in incidents],
                    "channels": [as_json.channel(one, may_configure=False) for one in known],
                    "alerts": [as_json.Alert.of(one) for one in sent],
                }
            )
            return
        if incidents:
            lines = ((plain(one.opened_at), f"{messages.title(one)}: {one.text}") for one in incidents)
            self.print_table(("since", "open incident"), lines)
        else:
            self.stdout.write("No open incidents.")
        self._section(("channel", "kind", "state", "who is told"), map(_channel, known))
        self._section(("watcher", "address", "last call"), map(_watcher, alerts.watchers()))
        self._section(("message of", "channel", "address", "state", "answer"), map(_message, sent))
        self.print_shown(len(sent), total, f"--limit {total} shows all.")

    def _section(self, heads: Sequence[tables.Cell], rows: Iterable[Sequence[tables.Cell]]) -> None:
        """A table below an empty line, if it has any rows."""
        found = list(rows)
        if found:
            self.stdout.write("")
            self.print_table(heads, found)

    def _look(self, options: dict[str, Any]) -> None:
        watch.look(clock.now())
        self._send()
        self.stdout.write(f"Open incidents: {alerts.incidents({'open': True}).count()}.")

    def _test(self, options: dict[str, Any]) -> None:
        number = send_test(options["channel"], by=acts.operator())
        self._send()
        where = "1 address" if number == 1 else f"{number} addresses"
        self.stdout.write(f"A test message goes to {where}; `list` shows the answer.")

    def _send(self) -> None:
        """Without a consumer, nobody else sends what waits."""
        outbox.send_if_nobody_else()
        outbox.settle()


def _channel(channel: Channel) -> list[tables.Cell]:
    kinds = ", ".join(channel.kinds) or "all kinds"
    tasks = f" of {', '.join(channel.tasks)}" if channel.tasks else ""
    to = channels.shown(channel) or "everybody who may operate"
    return [channel.name, channel.kind, "on" if channel.is_on else "off", f"{to}: {kinds}{tasks}"]


def _watcher(watcher: alerts.Watcher) -> list[tables.Cell]:
    last = watcher.last
    told = f"{plain(last.created_at)} {_state(last)} {last.answer}" if last else "never"
    return [watcher.schedule or "of all runs", watcher.address, told]


def _message(sent: Delivery) -> list[tables.Cell]:
    return [plain(sent.created_at), sent.channel, sent.address, _state(sent), sent.answer]


def _state(sent: Delivery) -> str:
    return sent.state.replace("_", " ")
