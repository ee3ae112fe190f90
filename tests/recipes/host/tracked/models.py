from django.db import models
from simple_history.models import HistoricalRecords


class Customer(models.Model):
    name = models.CharField(max_length=20)
    joined_at = models.DateTimeField()


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.SET_NULL, null=True)
    note = models.CharField(max_length=100)
    tags = models.ManyToManyField(Tag)
    history = HistoricalRecords(m2m_fields=[tags])
