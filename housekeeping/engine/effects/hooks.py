"""Calls of ``on_deleted``, which a policy asks for: each batch's keys, after the batch is committed.

Guarantees:

- A call is stored in the batch's own transaction, and crossed off after it was made. A process that dies
  between leaves it to the next attempt, so it is made at least once.
- An error loses nothing: the run fails, and the next one makes the call before it deletes anything.
- No call is made within a transaction of the purge.
- A call that nobody can make, as the policy has lost its function, stays, and each run tells of it.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import zstandard
from django.db.models import Model

from housekeeping.database import chosen, discreet
from housekeeping.declared import registry
from housekeeping.declared.policies import FAR, Policy
from housekeeping.engine import cascade, packing, unpacking
from housekeeping.exceptions import HookFailed
from housekeeping.models import OpenCall, Run

logger = logging.getLogger(__name__)
_LOST = (
    "Calls of on_deleted that nobody makes, as the policy %s no longer has one: %s. They stay in"
    " housekeeping.OpenCall, until it has one again, or until you delete them."
)


def store(policy: Policy, keys: Sequence[Any], *, run: uuid.UUID | None = None) -> None:
    """Store the call for a batch. Call it in the transaction of that batch."""
    if policy.on_deleted and keys:
        store_for(policy.name, keys, run)


def store_for(policy: str, keys: Sequence[Any], run: uuid.UUID | None) -> None:
    """The same for the name of a policy that asks for calls."""
    payload = zstandard.compress(json.dumps(list(keys), default=str).encode(), packing.LEVEL)
    OpenCall.objects.create(policy=policy, run=run, payload=payload)


def calls_of(model: type[Model], keys: Sequence[Any]) -> Iterator[tuple[Policy, list[Any]]]:
    """The policies that want to be called when these rows go, each with the keys of those that it would
    delete some day. Call it where the rows are, before they go."""
    for policy in registry.policies().values():
        if policy.on_deleted and policy.known_model is model:
            rows = policy.rows(FAR).using(chosen.alias()).filter(packing.Among("pk", keys)).order_by()
            if found := list(dict.fromkeys(rows.values_list("pk", flat=True))):
                yield policy, found


def make_erased(erasure: uuid.UUID, checkpoint: Callable[[], None]) -> None:
    """Make the calls that an erasure has stored. Raises HookFailed."""
    stored = OpenCall.objects.filter(run=erasure).order_by().values_list("policy", flat=True).distinct()
    for name in list(stored):
        if policy := registry.policies().get(name):
            make(policy, checkpoint=checkpoint)


def warn_of_lost(policy: Policy) -> None:
    """Log that a policy has open calls and nothing to call any more.

    They stay: it may get its ``on_deleted`` back, as after a release that was withdrawn.
    """
    if policy.on_deleted is None and (number := OpenCall.objects.filter(policy=policy.name).count()):
        logger.warning(_LOST, policy.name, number)


def make(
    policy: Policy, *, run: uuid.UUID | None = None, checkpoint: Callable[[], None] = lambda: None
) -> None:
    """Make the policy's open calls, oldest first, but for those of other runs that are at work.

    ``checkpoint`` is called before each one but the first. Raises HookFailed.
    """
    if policy.on_deleted is None:
        return
    at_work = Run.objects.filter(status=Run.Status.RUNNING)
    others = at_work.exclude(pk=run) if run else at_work
    waiting = OpenCall.objects.filter(policy=policy.name).exclude(run__in=others.values("pk")).order_by("pk")
    for number, pk in enumerate(list(waiting.values_list("pk", flat=True))):
        if number:
            checkpoint()
        for payload in OpenCall.objects.filter(pk=pk).values_list("payload", flat=True):
            _call(policy, policy.on_deleted, payload)
            OpenCall.objects.filter(pk=pk).delete()


def _call(policy: Policy, on_deleted: Callable[[list[Any]], object], payload: bytes | memoryview) -> None:
    to_key = cascade.value_field(policy.model._meta.pk).to_python  # JSON has no UUIDs
    keys = [to_key(key) for key in json.loads(unpacking.unpacked(payload))]
    try:
        on_deleted(keys)
    except Exception as error:  # the project's own code may raise anything
        raise HookFailed(policy.name, len(keys), discreet.sentence(error)) from error
