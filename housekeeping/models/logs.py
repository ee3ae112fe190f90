"""What is told of runs: the lines that they log, and the daily tallies of them."""

from django.db import models

from housekeeping.models.routing import OwnModel
from housekeeping.models.runs import Run


class LogLine(OwnModel):
    """A line that was logged during a run."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="log_lines")
    logged_at = models.DateTimeField()
    level = models.CharField(max_length=10)
    text = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text


class Tally(OwnModel):
    """How many runs of a task ended on one day with one status. Charts are drawn from tallies."""

    day = models.DateField(help_text="In TIME_ZONE.")
    task = models.CharField(max_length=100)
    status = models.CharField(max_length=20)
    runs = models.PositiveIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0, help_text="Rows of the policies' own that were deleted.")
    duration_ms = models.PositiveBigIntegerField(default=0, help_text="Of all these runs together.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "task", "status"], name="tally_one_per_day_task_status")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.task} {self.status}"
