"""Housekeeping's own rows: names become the pseudonym, and plans, holds and messages lose the person."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import zstandard
from django.db.models import JSONField, Model, Q, TextField, Value
from django.db.models.functions import Cast

from housekeeping.database import chosen, transient
from housekeeping.declared import registry, rules
from housekeeping.engine import packing, unpacking
from housekeeping.erasure.found import Found
from housekeeping.erasure.tables import columns, rows
from housekeeping.erasure.tables.rows import Changed, Count
from housekeeping.erasure.terms import Terms
from housekeeping.journal.channels import OPERATORS
from housekeeping.models import Act, Channel, Delivery, Hold, PlannedRows, Run

AT_ONCE = 500  # rows that are read or changed at a time
Checkpoint = Callable[[], None]


class Records:
    """``deleted`` and ``changed`` count rows in the transaction that deletes or changes them."""

    def __init__(self, terms: Terms, found: Found, deleted: Count, changed: Changed) -> None:
        self.terms, self.found, self.deleted, self.changed = terms, found, deleted, changed
        self.results: list[Any] = []  # the keys of the runs whose results have changed

    def carry_out(self, checkpoint: Checkpoint) -> None:
        self._end_holds()
        self._rename_channels()
        self._forget_plans(checkpoint)
        self._act_under_pseudonym()
        self._rename_accounts()
        self._drop_messages()
        for model in columns.searched():
            self._search(model, checkpoint)

    # --- By key -------------------------------------------------------------------------------

    def _end_holds(self) -> None:
        for label, keys in self.found.items():
            pairs = Hold.objects.filter(model=label).order_by("pk").values_list("pk", "key")
            for part in packing.parts([pk for pk, key in pairs.iterator() if key in keys]):

                def work(part: list[int] = part) -> None:
                    ended, _ = Hold.objects.filter(pk__in=part).delete()
                    rules.changed()
                    self.deleted(Counter({Hold._meta.label: ended}))

                transient.transact(work)

    def _forget_plans(self, checkpoint: Checkpoint) -> None:
        for pk in list(PlannedRows.objects.order_by("pk").values_list("pk", flat=True)):
            checkpoint()
            transient.transact(partial(self._forget_planned, pk))
        planned = Run.objects.exclude(plan={}).order_by("requested_at").values_list("pk", flat=True)
        for run in list(planned):
            checkpoint()
            transient.transact(partial(self._forget_samples, run))

    def _keys_of(self, policy: str) -> set[str] | None:
        """The person's keys in the policy's table; None if nobody declares the policy any more."""
        known = registry.policies().get(policy)
        model = known.known_model if known else None
        if known is None or model is None:
            return None
        is_home = known.database == chosen.home(model)
        return self.found.get(
            model._meta.label if is_home else f"{known.database}:{model._meta.label}", set()
        )

    def _forget_planned(self, pk: int) -> None:
        planned = PlannedRows.objects.select_for_update().filter(pk=pk).first()
        keys = self._keys_of(planned.policy) if planned else set()
        if planned is None or keys == set():
            return
        rows = json.loads(unpacking.unpacked(planned.payload))
        # Of a policy that is gone, nobody knows the table. Its plan can't be carried out either.
        stay = [] if keys is None else [row for row in rows if str(row[0]) not in keys]
        if len(stay) == len(rows):
            return
        self._shrink_plan(planned, len(rows) - len(stay))
        planned.rows = len(stay)
        planned.payload = zstandard.compress(json.dumps(stay).encode(), packing.LEVEL)
        planned.save(update_fields=["rows", "payload"])
        self.changed(PlannedRows, [planned.pk])

    def _shrink_plan(self, planned: PlannedRows, gone: int) -> None:
        """The numbers of a plan are those of its keys: otherwise it could not be carried out."""
        run = Run.objects.select_for_update().only("plan").filter(pk=planned.run_id).first()
        facts = run.plan.get(planned.policy) if run else None
        if run and facts:
            known = registry.policies().get(planned.policy)
            label = known.model._meta.label if known else ""
            facts["rows"] = max(facts["rows"] - gone, 0)
            if label in facts["tables"]:
                facts["tables"][label] = max(facts["tables"][label] - gone, 0)
            run.save(update_fields=["plan"])
            self.changed(Run, [run.pk])

    def _forget_samples(self, pk: Any) -> None:
        run = Run.objects.select_for_update().only("plan").filter(pk=pk).first()
        is_changed = False
        for policy, facts in (run.plan if run else {}).items():
            keys = self._keys_of(policy)
            sample = facts.get("sample", [])
            stay = [] if keys is None else [row for row in sample if str(row.get("key")) not in keys]
            if len(stay) < len(sample):
                facts["sample"], is_changed = stay, True
        if run and is_changed:
            run.save(update_fields=["plan"])
            self.changed(Run, [run.pk])

    def _act_under_pseudonym(self) -> None:
        """Acts of the person lose their address, and acts on their rows the keys of these."""
        by_them = Act.objects.filter(who=self.terms.person.name, origin__contains=" from ")
        on_them = [
            pk
            for label in self.found
            for pk, target, details in Act.objects.filter(
                Q(target=label) | Q(target__startswith=f"{label} ")
            ).values_list("pk", "target", "details")
            if self._act_on_them(label, target, details) != (target, details)
        ]
        for pk in [*by_them.values_list("pk", flat=True), *on_them]:
            transient.transact(partial(self._change_act, pk))

    def _act_on_them(self, label: str, target: str, details: Any) -> tuple[str, Any]:
        keys, pseudonym = self.found[label], self.terms.pseudonym
        if target.partition(" ")[2] in keys and target.partition(" ")[0] == label:
            target = f"{label} {pseudonym}"
        if details.get("model", label) == label and isinstance(details.get("key"), str):
            details = {**details, "key": pseudonym if details["key"] in keys else details["key"]}
        if target == label and isinstance(details.get("keys"), list):
            stay = [pseudonym if key in keys else key for key in details["keys"]]
            details = {**details, "keys": stay}
        return target, details

    def _change_act(self, pk: int) -> None:
        act = Act.objects.select_for_update().filter(pk=pk).first()
        if act is None:
            return  # a purge has deleted it meanwhile
        if act.who == self.terms.person.name:
            act.origin = act.origin.partition(" from ")[0]
        for label in self.found:
            act.target, act.details = self._act_on_them(label, act.target, act.details)
        act.save(update_fields=["origin", "target", "details"])
        self.changed(Act, [act.pk])

    # --- By name ------------------------------------------------------------------------------

    def _rename_accounts(self) -> None:
        """In columns that hold the name of an account, and nothing else."""
        for model, names in columns.NAMES.items():
            for column in names:
                theirs = model._default_manager.filter(**{column: self.terms.person.name})
                rows.replace(theirs, {column: self.terms.pseudonym}, self.changed)

    def _rename_channels(self) -> None:
        """Channels that are called like the person, together with the messages that go through them."""
        for name in list(Channel.objects.order_by("pk").values_list("name", flat=True)):
            if name != OPERATORS and self.terms.are_in(name):
                transient.transact(partial(self._rename_channel, name))

    def _rename_channel(self, name: str) -> None:
        if not Channel.objects.select_for_update().filter(name=name).exists():
            return  # somebody has removed it
        new = self._free(self.terms.replaced(name))
        Channel.objects.filter(name=name).update(name=new)
        messages = Delivery.objects.filter(channel=name).exclude(transport=Delivery.Transport.PING)
        keys = list(messages.values_list("pk", flat=True))
        messages.update(channel=new)
        self.changed(Channel, [new])
        self.changed(Delivery, keys)

    @staticmethod
    def _free(name: str) -> str:
        """The name, or with a number after it if another channel has it."""
        taken = set(Channel.objects.values_list("name", flat=True))
        fitting = _cut(Channel._meta.get_field("name"), name)
        return next(
            one for one in [fitting, *(f"{fitting[:46]}-{n}" for n in range(2, 999))] if one not in taken
        )

    def _drop_messages(self) -> None:
        """Delete messages to the person, and switch off channels that lead to them."""
        for address in self.terms.person.addresses:

            def work(address: str = address) -> None:
                dropped, _ = Delivery.objects.filter(address__iexact=address).delete()
                self.deleted(Counter({Delivery._meta.label: dropped}))

            transient.transact(work)
            theirs = Channel.objects.filter(address__iexact=address)
            nobody = {"address": f"{self.terms.pseudonym}@erased.invalid", "is_on": False}
            rows.replace(theirs, nobody, self.changed)

    # --- In texts -----------------------------------------------------------------------------

    def _search(self, model: type[Model], checkpoint: Checkpoint) -> None:
        """Read all rows of a table of ours, and change those whose texts tell of the person."""
        names = [
            *columns.TEXTS.get(model, ()),
            *columns.JSON.get(model, ()),
            *columns.OUR_JSON.get(model, ()),
        ]
        rows = model._default_manager.order_by("pk").annotate(
            **{f"{name}_text": Cast(name, TextField()) for name in names}
        )
        read, last = rows.values_list("pk", *(f"{name}_text" for name in names)), None
        while part := list((read.filter(pk__gt=last) if last is not None else read)[:AT_ONCE]):
            checkpoint()
            for pk, *texts in part:
                if any(self._new(model, name, text) != text for name, text in zip(names, texts, strict=True)):
                    transient.transact(partial(self._change, model, names, pk))
            last = part[-1][0]

    def _change(self, model: type[Model], names: list[str], pk: Any) -> None:
        row = model._default_manager.select_for_update().filter(pk=pk)
        texts = row.annotate(**{f"{name}_text": Cast(name, TextField()) for name in names})
        values = texts.values_list(*(f"{name}_text" for name in names)).first()
        fields: dict[str, Any] = {}
        for name, text in zip(names, values or (), strict=bool(values)):
            new = self._new(model, name, text)
            if new != text:
                field = model._meta.get_field(name)
                is_json = isinstance(field, JSONField)
                fields[name] = (
                    Cast(Value(new, output_field=TextField()), JSONField()) if is_json else _cut(field, new)
                )
        if fields:
            model._default_manager.filter(pk=pk).update(**fields)
            self.changed(model, [pk])
            if "result" in fields:
                self.results.append(pk)

    def _new(self, model: type[Model], name: str, text: str | None) -> str | None:
        if not text:
            return text
        if name in columns.TEXTS.get(model, ()):
            return self.terms.replaced(text)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.terms.replaced(text)
        with_names = name in columns.JSON.get(model, ())
        new = self.terms.replaced_in_json(value, with_names=with_names)
        return text if new == value else json.dumps(new)


def _cut(field: Any, text: str | None) -> str:
    """A pseudonym may be longer than the name."""
    length = getattr(field, "max_length", None)
    return (text or "")[:length] if length else text or ""
