"""Acts: who did what, when and from where. Recorded in the transaction of the act itself."""

import getpass
import os
import socket
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from housekeeping.database import clock
from housekeeping.exceptions import QueueUnreachable
from housekeeping.models import Act


@dataclass(frozen=True)
class Actor:
    """A person who does something, and the face and address that they use."""

    name: str
    origin: str


def visitor(request: Any, face: str) -> Actor:
    """The user who sent this request to a face: the dashboard, the API or the admin."""
    return Actor(request.user.get_username(), f"{face} from {request.META.get('REMOTE_ADDR', 'unknown')}")


def record_act(request: Any, what: str, row: Any, *, by: Any = None, **details: Any) -> None:
    """Record what the user who sent ``request`` did to ``row`` on a page of your own site.

    Call it in the transaction of the act. ``request`` is None for a command, whose actor is the user of this
    machine. ``what`` is a word or two: ``change password``. ``by`` is the user if nobody has signed in, as
    after the link of a mail. ``details`` are JSON, and are shown to everybody with ``view_run``.
    """
    actor = operator() if request is None else visitor(request, "site")
    actor = replace(actor, name=by.get_username()) if by else actor
    record(actor, what, f"{row._meta.label} {row.pk}"[:100], **details)


def operator() -> Actor:
    """The user of this machine's command line."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = f"uid {os.getuid()}"
    return Actor(name, f"command on {socket.gethostname()}")


def record(actor: Actor | None, what: str, target: object, **details: Any) -> None:
    """Record an act. Without an actor, as when a schedule opens a run, nothing is recorded."""
    if actor:
        Act.objects.create(
            done_at=clock.Now(),
            who=actor.name,
            what=what,
            target=str(target),
            origin=actor.origin,
            details=details,
        )


def failed(target: object, reason: QueueUnreachable) -> None:
    """Note on the newest act on ``target`` that it had no effect, because its run was never sent."""
    act = Act.objects.filter(target=str(target)).order_by("-done_at", "-pk").first()
    if act:
        act.details["failed"] = reason.english
        act.save(update_fields=["details"])


def history(filters: dict[str, Any]) -> QuerySet[Act]:
    """Acts, newest first, filtered by ``who``, ``what``, ``target``, ``after``, ``before``."""
    acts = Act.objects.order_by("-done_at", "-pk")
    for name in ("who", "what", "target"):
        if filters.get(name):
            acts = acts.filter(**{name: filters[name]})
    if filters.get("after"):
        acts = acts.filter(done_at__gte=filters["after"])
    if filters.get("before"):
        acts = acts.filter(done_at__lt=filters["before"])
    return acts
