"""Alerts: list what is wrong and who is told, look for incidents, send a test."""

from typing import Any

from django.core.management.base import CommandParser

from housekeeping.database import clock
from housekeeping.journal import acts, channels, outbox
from housekeeping.journal.alerting import messages
from housekeeping.management.base import ActionCommand, plain
from housekeeping.models import Channel
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
        listing.add_argument("--json", action="store_true")
        actions.add_parser("look", help="look for incidents now, as a consumer does twice a minute")
        testing = actions.add_parser("test", help="send a test message through a channel")
        testing.add_argument("channel")

    def _list(self, options: dict[str, Any]) -> None:
        incidents = list(alerts.incidents({"open": True}))
        known, sent = channels.known(), list(alerts.sent({})[: options["limit"]])
        if options["json"]:
            self.print_json(
                {
                    "incidents": [as_json.Incident.of(one) for one in incidents],
                    "channels": [as_json.channel(one, may_configure=False) for one in known],
                    "alerts": [as_json.Alert.of(one) for one in sent],
                }
            )
            return
        for incident in incidents:
            since = plain(incident.opened_at)
            self.stdout.write(f"since {since}  {messages.title(incident)}: {incident.text}")
        if not incidents:
            self.stdout.write("No open incidents.")
        for channel in known:
            self.stdout.write(f"channel {channel.name:<20} {channel.kind:<8} {_about(channel)}")
        for watcher in alerts.watchers():
            last = watcher.last
            told = f"{plain(last.created_at)} {last.state} {last.answer}" if last else "never"
            self.stdout.write(f"watcher {watcher.schedule or 'of all runs':<20} {watcher.address} {told}")
        for one in sent:
            state = one.state.replace("_", " ")
            self.stdout.write(
                f"{plain(one.created_at)}  {one.channel:<20} {one.address:<32} {state} {one.answer}"
            )

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


def _about(channel: Channel) -> str:
    kinds = ", ".join(channel.kinds) or "all kinds"
    tasks = f" of {', '.join(channel.tasks)}" if channel.tasks else ""
    to = channels.shown(channel) or "everybody who may operate"
    return f"{'on ' if channel.is_on else 'off'} {to}: {kinds}{tasks}"
