from auditlog.models import AuditlogHistoryField
from auditlog.registry import auditlog
from django.db import models


class Invoice(models.Model):
    number = models.CharField(max_length=20)
    total = models.DecimalField(max_digits=9, decimal_places=2, default=0)
    log = AuditlogHistoryField()


auditlog.register(Invoice, serialize_data=True)
