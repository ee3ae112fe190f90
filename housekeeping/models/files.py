"""Files of deleted rows, which go from their storage once the rows can't be put back any more."""

from django.db import models

from housekeeping.models.routing import OwnModel


class FileToDelete(OwnModel):
    """A file that a deleted row named. It is noted in the transaction that deletes the row."""

    field = models.CharField(max_length=300, help_text="The file field: app_label.Model.field.")
    name = models.TextField(help_text="The file's name in the storage of that field.")
    policy = models.CharField(max_length=100)
    # No foreign key: the note outlives its run if the storage fails for months. Null outside of a run.
    run_id = models.UUIDField(null=True)
    due_at = models.DateTimeField(db_index=True, help_text="When the undo window of the row closes.")
    attempts = models.PositiveIntegerField(default=0, help_text="How often the storage has refused.")
    error = models.TextField(blank=True, help_text="What the storage said the last time.")

    def __str__(self) -> str:
        return f"{self.field}: {self.name}"
