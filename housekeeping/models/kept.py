"""Rows that outlive the execution of a run: its plan, its archives, and holds."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, models, router
from django.utils.translation import gettext as _

from housekeeping.database import clock
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel, OwnQuerySet
from housekeeping.models.runs import Run


class PlannedRows(OwnModel):
    """Keys of rows that a preview or a held run has found. A purge of that plan deletes no others."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="planned_rows")
    policy = models.CharField(max_length=100)
    rows = models.PositiveIntegerField()
    payload = models.BinaryField(help_text="zstd of JSON: [[key, rows that hang from it], …], oldest first.")

    def __str__(self) -> str:
        return f"{self.rows} rows of the plan {self.run_id}"


class OpenCall(OwnModel):
    """A call of a policy's ``on_deleted`` that is not known to have been made: the keys of one batch.

    Without a foreign key: it outlives its run, as the next one of the policy makes the call.
    """

    policy = models.CharField(max_length=100, db_index=True)
    run = models.UUIDField(null=True, help_text="Null for a purge in a shell.")
    payload = models.BinaryField(help_text="zstd of JSON: the keys.")

    def __str__(self) -> str:
        return f"on_deleted of {self.policy}"


class ArchiveQuerySet(OwnQuerySet["Archive"]):
    def counted(self) -> "ArchiveQuerySet":
        """Those of rows that receipts count, as :attr:`Archive.is_counted` tells."""
        return self.filter(models.Q(emptied="") | models.Q(is_own=True))


class Archive(OwnModel):
    """The rows that one batch of a run removed from one table, until the undo window closes."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="archives")
    policy = models.CharField(max_length=100)
    model = models.CharField(max_length=200, help_text="The table's model: app_label.Model.")
    is_own = models.BooleanField(help_text="Rows of the policy itself, not of its cascade.")
    # Empty for whole rows. Otherwise the foreign key that was set to NULL, or to a default: then the schema
    # ends with ["=", that key]. Of the policy's own rows, the columns that were changed: then the schema ends
    # with ["=", column] for each, and a row has first what they had, then what they got.
    emptied = models.CharField(max_length=100, blank=True)
    schema = StoredJSON(help_text="The columns as they were: [[name, type], …], key first.")
    vendor = models.CharField(max_length=20, help_text="The database that wrote the payload.")
    rows = models.PositiveIntegerField()
    payload = models.BinaryField(help_text="zstd of JSON rows (SQLite) or of COPY text (PostgreSQL).")
    size = models.PositiveIntegerField(help_text="Bytes of the payload.")
    expires_at = models.DateTimeField(db_index=True)
    # Batches count from 1 within the run, positions from 1 within the batch; the policy's own rows come
    # last. A batch that is too large for one transaction of an undo is cut into parts. Null if version
    # 1.0 made the archive.
    batch = models.PositiveIntegerField(null=True)
    part = models.PositiveIntegerField(null=True)
    position = models.PositiveIntegerField(null=True)
    before = models.CharField(max_length=64, null=True, help_text="The receipt's digest before it.")
    digest = models.CharField(max_length=64, null=True, help_text="Of what it is and of what it holds.")
    database = models.CharField(max_length=100, null=True, help_text="Of the rows; null: the default one.")

    def __str__(self) -> str:
        return f"{self.rows} rows of {self.model}"

    objects: ClassVar[ArchiveQuerySet] = ArchiveQuerySet.as_manager()  # type: ignore[assignment]

    @property
    def is_changed(self) -> bool:
        """Of rows that stay, and got other values."""
        return self.is_own and bool(self.emptied)

    @property
    def is_counted(self) -> bool:
        """Of rows that the receipt counts: deleted ones, and changed ones."""
        return self.is_own or not self.emptied

    @property
    def alias(self) -> str:
        """Of the database that its rows came from."""
        return self.database or DEFAULT_DB_ALIAS

    @property
    def name(self) -> str:
        """For messages: its policy, its table, its batch."""
        what = f"{self.model}.{self.emptied}" if self.emptied else self.model
        batch = "" if self.batch is None else f", batch {self.batch}"
        return f"{self.policy}, {what}{batch}"


class HoldQuerySet(OwnQuerySet["Hold"]):
    def active(self, now: clock.Moment) -> "HoldQuerySet":
        return self.filter(models.Q(until=None) | models.Q(until__gt=now))


class Hold(OwnModel):
    """A row that no policy may delete, neither directly nor by a cascade."""

    model = models.CharField(max_length=200, help_text="app_label.Model")
    key = models.TextField()
    until = models.DateTimeField(null=True, blank=True, db_index=True, help_text="Empty: for good.")
    reason = models.CharField(max_length=200)
    made_by = models.CharField(max_length=254, blank=True)
    made_at = clock.StampField()
    # Set if an undo put the row back: pages show all holds of an undo as one.
    undo = models.ForeignKey(
        Run, models.SET_NULL, null=True, blank=True, related_name="holds", db_index=False
    )

    # The databases that may have the row; empty: the one that a router writes it to.
    aliases: Collection[str] = ()

    objects: ClassVar[HoldQuerySet] = HoldQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-made_at", "-pk"]
        indexes = [
            models.Index(fields=["model", "key"], name="hold_of_row"),
            # An undo may hold a million rows. They are counted or skipped along this index, not read.
            models.Index(fields=["undo", "until"], name="hold_of_undo"),
            models.Index(fields=["-id"], condition=models.Q(undo=None), name="hold_one_by_one"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.key}"

    def is_active(self, now: datetime) -> bool:
        return self.until is None or self.until > now

    def clean(self) -> None:
        """Write model and key the way that a purge looks for them.

        Raises ValidationError if there is no such row: a misspelt hold would hold nothing. A hold that
        was made can be changed even if its row is gone since.
        """
        if not self._state.adding:
            return
        try:
            model = apps.get_model(self.model)
        except (LookupError, ValueError):
            text = _("There is no model %(model)s; write chat.Conversation or chat.User.")
            raise ValidationError({"model": text % {"model": repr(self.model)}}) from None
        concrete = model._meta.concrete_model or model  # a proxy's rows are its table's
        self.model = concrete._meta.label
        # Inside a transaction, lock the row: that waits for a batch of a purge that is deleting it. The
        # key is stored as the database writes it: "042" becomes 42.
        found = (self._key_in(alias, concrete) for alias in self.aliases or [router.db_for_write(concrete)])
        key = next((key for key in found if key is not None), None)
        if key is None:
            text = _("There is no %(model)s with the key %(key)s.")
            raise ValidationError({"key": text % {"model": self.model, "key": repr(self.key)}})
        self.key = str(key)

    def _key_in(self, alias: str, model: type[models.Model]) -> Any:
        rows: models.QuerySet[Any] = models.QuerySet(model, using=alias)
        if connections[alias].in_atomic_block:
            rows = rows.select_for_update(no_key=True)
        try:
            return rows.filter(pk=self.key).values_list("pk", flat=True).first()
        except (TypeError, ValueError, ValidationError):
            return None
