"""Receivers of Django's delete signals: who would hear of the rows of a purge, and how they are told.

A purge deletes by SQL, which sends none. A policy with ``send_signals`` reads each row that somebody listens
for, and sends ``pre_delete`` before and ``post_delete`` after, in the transaction of the batch, as
Django's own ``delete()`` does: children first, with the database as ``using``.
"""

import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.signals import ModelSignal, post_delete, pre_delete

from housekeeping.database import chosen, discreet, transient
from housekeeping.declared.policies import FAR, Policy
from housekeeping.engine import cascade, packing
from housekeeping.exceptions import ReceiverFailed

SIGNALS: dict[str, ModelSignal] = {"pre_delete": pre_delete, "post_delete": post_delete}


def sender_of(policy: Policy) -> type[Model]:
    """The sender for the policy's own rows: the model of its queryset, which may be a proxy."""
    model: type[Model] = policy.rows(FAR).model
    return model


def unheard(policy: Policy) -> dict[str, list[str]]:
    """By table, the dotted paths of the receivers that Django's ``delete()`` of the rows would call.

    Of upkeep, only receivers that were connected to a table itself: those for any model are about
    the project's own rows.
    """
    tables = [sender_of(policy), *cascade.tables(policy.model)[1:]]
    found = {table._meta.label: _names(table, is_general=not policy.is_upkeep) for table in tables}
    return {label: names for label, names in found.items() if names}


def _names(model: type[Model], *, is_general: bool) -> list[str]:
    if not _is_heard(model):
        return []
    senders = {id(model)} | ({id(None)} if is_general else set())
    # `receivers` is not documented, but has no underscore. Each entry begins with the key of the
    # connection, which ends with the sender's id, and with the receiver or a weak reference to it.
    connected = [entry for signal in SIGNALS.values() for entry in signal.receivers]
    found = [_path(entry[1]) for entry in connected if entry[0][1] in senders]
    return list(dict.fromkeys(name for name in found if name))


def _is_heard(model: type[Model], signal: ModelSignal | None = None) -> bool:
    """Does anybody listen for a delete of its rows? For a table that Django made itself, it sends none."""
    asked = [signal] if signal else SIGNALS.values()
    return not model._meta.auto_created and any(one.has_listeners(model) for one in asked)


def _path(receiver: Any) -> str:
    """``shop.search.forget``; empty if the receiver is gone."""
    called = receiver() if isinstance(receiver, weakref.ReferenceType) else receiver
    while isinstance(called, partial):
        called = called.func
    if called is None:
        return ""
    named = called if hasattr(called, "__qualname__") else type(called)
    return f"{named.__module__}.{named.__qualname__}"


class Told:
    """Tells the receivers of a batch. ``keys``: of the policy's own rows, which are locked.

    ``closure``: those and all rows below them, if they are no tree.
    """

    def __init__(self, policy: Policy, keys: Sequence[Any], closure: cascade.Closure | None = None) -> None:
        self.policy, self.keys, self.closure = policy, list(keys), closure
        self.origin = self._of(sender_of(policy), "pk")  # the rows whose delete was asked for
        self.rows = list(self._rows())  # the lowest tables first

    def before(self) -> None:
        for row in self.rows:
            self._send("pre_delete", row)

    def after(self) -> None:
        for row in self.rows:
            self._send("post_delete", row)

    def _rows(self) -> Iterator[Model]:
        """The rows that somebody listens for, each once, with the model that its signal is sent for."""
        if self.closure:
            yield from self._in_closure(self.closure)
            return
        met: set[tuple[type[Model], Any]] = set()
        for link, path in reversed(list(cascade.walk(self.policy.model))):
            if link.is_cascade and _is_heard(link.model):
                for row in self._of(link.model, path):
                    if (link.model, row.pk) not in met:
                        met.add((link.model, row.pk))
                        yield row
        sender = sender_of(self.policy)
        if _is_heard(sender):
            yield from self._of(sender, "pk")

    def _in_closure(self, closure: cascade.Closure) -> Iterator[Model]:
        met: set[tuple[type[Model], Any]] = set()
        for edge, values in closure.leaves:
            for row in edge.rows(list(values)).order_by("pk") if _is_heard(edge.model) else ():
                if (edge.model, row.pk) not in met:
                    met.add((edge.model, row.pk))
                    yield row
        for table in closure.order():
            sender = sender_of(self.policy) if table is self.policy.model else table
            if _is_heard(sender):
                rows = cascade.rows_of(sender).filter(packing.Among("pk", closure.keys(table)))
                yield from rows.order_by("pk")

    def _of(self, model: type[Model], path: str) -> QuerySet[Any]:
        return cascade.rows_of(model).filter(packing.Among(path, self.keys)).order_by("pk")

    def _send(self, name: str, row: Model) -> None:
        model = type(row)
        try:
            SIGNALS[name].send(sender=model, instance=row, using=chosen.alias(), origin=self.origin)
        except Exception as error:  # the project's own code may raise anything
            if transient.conflict(error):
                raise  # the batch is tried again
            raise ReceiverFailed(name, model._meta.label, discreet.sentence(error)) from error
