"""Calls of ``on_deleted``, which a policy asks for: each batch's keys, after the batch is committed.

Guarantees:

- A call is stored in the batch's own transaction, and crossed off after it was made. A process that dies
  between leaves it to the next attempt, so it is made at least once.
- An error loses nothing: the run fails, and the next one makes the call before it deletes anything.
- No call is made within a transaction of the purge.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import zstandard

from housekeeping.database import discreet
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade, packing, unpacking
from housekeeping.exceptions import HookFailed
from housekeeping.models import OpenCall, Run


def store(policy: Policy, keys: Sequence[Any], *, run: uuid.UUID | None = None) -> None:
    """Store the call for a batch. Call it in the transaction of that batch."""
    if policy.on_deleted and keys:
        payload = zstandard.compress(json.dumps(list(keys), default=str).encode(), packing.LEVEL)
        OpenCall.objects.create(policy=policy.name, run=run, payload=payload)


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
