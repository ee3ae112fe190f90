"""Channels as operators change them: add, change, test, remove. ``journal.channels`` says who is told."""

import re
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared.registry import TASKS
from housekeeping.exceptions import AddressRefused, BadChannel, NotPossible, UnknownChannel
from housekeeping.journal import acts, posting
from housekeeping.journal import channels as journal
from housekeeping.journal.acts import Actor
from housekeeping.journal.alerting import messages
from housekeeping.journal.channels import MOST, OPERATORS
from housekeeping.models import Channel, Incident

NAME = re.compile(r"\w[\w .-]*")
LONGEST_NAME = Channel._meta.get_field("name").max_length or 0
LONGEST_ADDRESS = Channel._meta.get_field("address").max_length or 0
CHANGEABLE = ("address", "kinds", "tasks", "is_on", "is_reminded")


def add(name: str, kind: str, *, address: str, by: Actor | None = None, **fields: Any) -> Channel:
    """Add a channel. ``fields``: ``kinds``, ``tasks``, ``is_on``, ``is_reminded``. Raises BadChannel."""
    name, now = name.strip(), clock.now()
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        text = gettext("A name has 1 to %(most)s letters, digits, spaces, dots and hyphens.")
        raise BadChannel("name", text % {"most": LONGEST_NAME})
    if name == OPERATORS:
        raise BadChannel("name", _taken())
    if kind not in Channel.Kind.values:
        raise BadChannel("kind", _choose(kind, Channel.Kind.values))
    channel = Channel(name=name, kind=kind, address=address.strip(), made_at=now, **_known(fields))
    _check(channel, before=None)
    with writing():
        names = {one.name for one in journal.known()}
        if name in names:
            raise BadChannel("name", _taken())
        if len(names) > MOST:
            raise BadChannel("name", gettext("There are %(most)s channels already.") % {"most": MOST})
        try:
            with transaction.atomic():
                _save(channel, by, is_new=True)
        except IntegrityError:  # somebody else has added it at this moment
            raise BadChannel("name", _taken()) from None
        acts.record(by, "add channel", name, after=_facts(channel))
    return channel


def _taken() -> str:
    return gettext("There is a channel of this name already.")


def change(name: str, *, by: Actor | None = None, **fields: Any) -> Channel:
    """Change some of ``CHANGEABLE``. Raises UnknownChannel, BadChannel."""
    with writing():
        channel = _locked(name)
        before, old = _facts(channel), journal.get(name)
        for field, value in _known(fields).items():
            setattr(channel, field, value)
        _check(channel, before=old)
        after = _facts(channel)
        if after == before:
            return channel  # nothing changes, so nothing is recorded
        _save(channel, by)
        acts.record(by, "change channel", name, before=before, after=after)
    return channel


def make_secret(name: str, *, by: Actor | None = None) -> Channel:
    """Sign the webhook's messages with another secret from now on. Raises UnknownChannel, NotPossible."""
    with writing():
        channel = _locked(name)
        if channel.kind != Channel.Kind.WEBHOOK:
            raise NotPossible(gettext("Only messages of a webhook are signed."))
        channel.secret_number += 1
        _save(channel, by)
        acts.record(by, "new secret", name)
    return channel


def send_test(name: str, *, by: Actor | None = None) -> int:
    """Send a test message, whether the channel is on or off. Returns to how many people or programs.

    Raises UnknownChannel; NotPossible if there is nobody.
    """
    with writing():
        told = messages.put_test(journal.get(name))
        if not told:
            raise NotPossible(gettext("No operator has a mail address, and ADMINS is empty."))
        acts.record(by, "test channel", name)
    return told


def remove(name: str, *, by: Actor | None = None) -> None:
    """Remove a channel; what still waits for it is not sent. Raises UnknownChannel, NotPossible."""
    if name == OPERATORS:
        raise NotPossible(gettext("The operators' channel can't be removed. Switch it off."))
    with writing():
        channel = _locked(name)
        acts.record(by, "remove channel", name, before=_facts(channel))
        channel.delete()


def _locked(name: str) -> Channel:
    found = Channel.objects.select_for_update().filter(name=name).first()
    if found is None and name == OPERATORS:
        return journal.of_operators()
    if found is None:
        raise UnknownChannel(name)
    return found


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    unknown = fields.keys() - set(CHANGEABLE)
    if unknown:
        raise TypeError(f"A channel has no {', '.join(sorted(unknown))}.")
    return {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}


def _check(channel: Channel, *, before: Channel | None) -> None:
    """Raises BadChannel. What was saved ``before`` stays valid: a task may be gone since."""
    _check_choices("kinds", channel.kinds, Incident.Kind.values, before)
    _check_choices("tasks", channel.tasks, TASKS, before)
    if before is None or channel.address != before.address:
        _check_address(channel)


def _check_choices(field: str, chosen: list[str], known: Iterable[str], before: Channel | None) -> None:
    allowed = [*known, *(getattr(before, field) if before else ())]
    for one in chosen:
        if one not in allowed:
            raise BadChannel(field, _choose(one, list(known)))


def _choose(word: str, known: Iterable[str]) -> str:
    text = gettext("%(word)s is not valid; choose one of %(known)s.")
    return text % {"word": repr(word), "known": ", ".join(known)}


def _check_address(channel: Channel) -> None:
    if channel.name == OPERATORS:
        raise BadChannel("address", gettext("This channel goes to everybody who may operate."))
    if len(channel.address) > LONGEST_ADDRESS:
        text = gettext("The address must have no more than %(most)s characters.")
        raise BadChannel("address", text % {"most": LONGEST_ADDRESS})
    try:
        if channel.kind == Channel.Kind.MAIL:
            validate_email(channel.address)
        else:
            posting.read_listed(channel.address)
    except ValidationError:
        raise BadChannel("address", gettext("Enter a mail address.")) from None
    except AddressRefused as error:
        raise BadChannel("address", str(error)) from None


def _save(channel: Channel, by: Actor | None, *, is_new: bool = False) -> None:
    channel.changed_at, channel.changed_by = clock.now(), by.name if by else ""
    channel.save(force_insert=is_new)


def _facts(channel: Channel) -> dict[str, Any]:
    return {
        "kind": channel.kind,
        "address": journal.shown(channel),
        "kinds": channel.kinds,
        "tasks": channel.tasks,
        "is_on": channel.is_on,
        "is_reminded": channel.is_reminded,
    }
