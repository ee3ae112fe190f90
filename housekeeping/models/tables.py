"""How large the tables of the database were, day by day."""

from django.db import models

from housekeeping.database import stored
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel


class TableSize(OwnModel):
    """One table on one day, in TIME_ZONE, as it was measured last on that day."""

    # 63 characters each for a schema and a table of PostgreSQL.
    table = models.CharField(max_length=200)
    day = models.DateField()
    measured_at = models.DateTimeField(db_index=True)
    rows = models.PositiveBigIntegerField(null=True)
    is_estimate = models.BooleanField(default=False, help_text="The rows are estimated.")
    bytes = models.PositiveBigIntegerField(null=True, help_text="With indexes and TOAST; null: not known.")
    are_bytes_estimated = models.BooleanField(default=False)
    index_bytes = models.PositiveBigIntegerField(null=True)
    toast_bytes = models.PositiveBigIntegerField(null=True)
    dead_rows = models.PositiveBigIntegerField(null=True)
    bloat_bytes = models.PositiveBigIntegerField(null=True, help_text="Space inside that holds no row.")
    ages = StoredJSON(null=True, read=stored.ages, help_text="By column; null on all days but the last.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["table", "day"], name="one_size_per_table_and_day")]

    def __str__(self) -> str:
        return f"{self.table} on {self.day}"
