"""Messages to people and programs outside, until they are sent or given up."""

from django.db import models

from housekeeping.models.routing import OwnModel


class Delivery(OwnModel):
    """A message to somebody outside, such as a mail, until it is sent or given up.

    Its text may be a secret (a link that verifies an account), so it is deleted as soon as possible.
    """

    channel = models.CharField(max_length=20, default="mail")
    kind = models.CharField(max_length=40, blank=True, help_text="What it is about, for the log.")
    address = models.CharField(max_length=320)
    payload = models.JSONField(null=True, help_text="What it says; null once it is sent or given up.")
    created_at = models.DateTimeField(db_index=True)
    not_before = models.DateTimeField(null=True, help_text="When the next attempt is due.")
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, help_text="Somebody is sending it until then.")
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=100, blank=True, help_text="The kind of the last error.")

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["id"],
                name="delivery_waiting",
                condition=models.Q(sent_at=None, failed_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind or self.channel} {self.pk}"
