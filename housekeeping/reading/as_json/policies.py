"""Policies as JSON, with their backlogs and previews."""

from typing import Any

from housekeeping import models
from housekeeping.declared import ends as declared
from housekeeping.reading import ends
from housekeeping.reading.as_json.fields import (
    GIVEN,
    STORED,
    Address,
    Flag,
    Many,
    Map,
    Moment,
    Number,
    Object,
    One,
    Stored,
    Text,
    Whole,
)
from housekeeping.reading.policies import PolicyCard
from housekeeping.steering import retentions

TABLES = "Rows that would be deleted, or made anonymous, by table."
THEN = "anonymise: the rows stay, and get other values. null: they are deleted."


class Backlog(Stored[models.Gauge]):
    """The rows that are past due by a policy."""

    stored = "value"
    rows = Whole(STORED, nullable=True, help="Rows that are past due; null if they can't be counted.")
    due_since = Moment(STORED, nullable=True)
    tables = Map(Whole(), STORED, help=TABLES)
    error = Text(
        lambda gauge: gauge.value.get("error"), nullable=True, help="The error, if the policy raises one."
    )
    measured_at = Moment()

    @classmethod
    def of(cls, source: models.Gauge, **given: Any) -> dict[str, Any]:
        backlog = super().of(source, **given)
        backlog.pop("retention_range", None)  # it is a field of the policy
        return backlog


class RetentionRange(Stored[dict[str, Any]]):
    """How long the owners of rows want them to be kept."""

    shortest_days = Number(STORED, nullable=True, help="null if no owner has a retention.")
    longest_days = Number(STORED, nullable=True, help="null if some owner keeps its rows for good.")


class PolicyEnd(Object[declared.End]):
    """What becomes of the expired rows of a policy, if they are not just deleted."""

    end = Text(
        lambda end: "anonymise" if isinstance(end, declared.Anonymise) else "export",
        choices=["anonymise", "export"],
        help="anonymise: the rows stay, and get other values. export: they are written to files first.",
    )
    columns = Map(Text(), ends.columns, help="anonymise: by column, what it becomes.")
    done = Text(
        ends.done, nullable=True, help="anonymise: which rows are done: a column that is set, or a condition."
    )
    storage = Text(
        lambda end: getattr(end, "storage", None), nullable=True, help="export: its name in STORAGES."
    )
    format = Text(
        lambda end: getattr(end, "format", None),
        nullable=True,
        choices=declared.FORMATS,
        help="export: the format of the files.",
    )


class Policy(Object[PolicyCard]):
    """A policy: which rows expire, and how long they are kept."""

    name = Text("policy.name")
    task = Text(
        lambda card: card.task.name if card.task else None,
        nullable=True,
        help="The task that purges by this policy alone.",
    )
    model = Text(nullable=True, help="null if the policy raises an error.")
    retention_days = Number(nullable=True)
    declared_retention_days = Number("declared_days", nullable=True)
    retention_range = One(
        RetentionRange, nullable=True, help="In place of the retention, if each owner of rows has its own."
    )
    keep_newest = Whole(
        lambda card: card.policy.keep_newest or None,
        nullable=True,
        help="So many of the newest rows of each owner stay.",
    )
    of_each = Many(Text(), "policy.owner_names", help="The columns of that owner.")
    at_most = Whole(
        lambda card: card.policy.at_most or None,
        nullable=True,
        help="The oldest rows go until the table has so many.",
    )
    then = Many(PolicyEnd, "policy.ends", help="What becomes of its expired rows; empty: they are deleted.")
    changed = Flag("is_changed")
    changed_by = Text(lambda card: card.state.changed_by if card.state else None, nullable=True)
    changed_at = Moment(lambda card: card.state.changed_at if card.state else None, nullable=True)
    upkeep = Flag("policy.is_upkeep")
    backlog = One(Backlog)
    url = Address("policy", "policy.name")


class Effect(Object[retentions.Effect]):
    """What a retention would delete."""

    retention_days = Number("days")
    rows = Whole(help="Rows that are past due by it.")
    rows_before = Whole("rows_now", help="Rows that are past due by the retention in force.")
    saved = Flag(GIVEN)


class ChangedPolicy(Policy):
    """A policy, and what its new retention deletes."""

    effect = One(Effect, GIVEN)


class SampleRow(Stored[Any]):
    """A row that would be deleted."""

    key = Text(STORED)
    text = Text(STORED, nullable=True, help="The row's text at present; null if the row is gone.")
    age_from = Moment(STORED, nullable=True)


class WhatIf(Stored[Any]):
    """What another retention would delete."""

    retention_days = Whole(STORED)
    rows = Whole(STORED)


class Preview(Stored[dict[str, Any]]):
    """What a purge would delete now."""

    policy = Text(STORED)
    cutoff = Moment(STORED)
    retention_days = Number(STORED, nullable=True)
    rows = Whole(STORED)
    tables = Map(Whole(), STORED, help=TABLES)
    oldest = Moment(STORED, nullable=True)
    newest = Moment(STORED, nullable=True)
    sample = Many(SampleRow, STORED)
    held_back = Map(Whole(), STORED, help="Expired rows that stay, by reason.")
    usual = Whole(STORED, nullable=True, help="The number of rows that runs usually delete.")
    warning = Text(STORED, nullable=True)
    then = Text(lambda facts: facts.get("then"), nullable=True, choices=["anonymise"], help=THEN)
    ends = Text(
        lambda facts: facts.get("ends"),
        nullable=True,
        help="What becomes of the rows, with the columns that change: a plan is refused if that is something"
        " else by now. Empty if they are only deleted; null in plans of earlier versions.",
    )
    what_if = Many(WhatIf, STORED)
