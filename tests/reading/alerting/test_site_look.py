"""The look that a request causes."""

import threading

import pytest
from django.core import mail
from django.core.signals import request_finished

from housekeeping.models import Consumer, Incident
from housekeeping.reading.alerting import site_look
from tests import make


@pytest.fixture
def due(monkeypatch):
    monkeypatch.setattr(site_look, "_next_look", 0.0)


def looks():
    return [thread for thread in threading.enumerate() if thread.name == "look"]


def test_of_many_requests_one_causes_a_look(due):
    assert [site_look._is_due() for _ in range(5)] == [True, False, False, False, False]


@pytest.mark.django_db
def test_a_test_run_of_a_project_gets_no_thread(due, client):
    client.get("/healthz")

    assert looks() == []


@pytest.mark.django_db(transaction=True)
def test_a_request_causes_a_look_once_it_was_answered(due, monkeypatch):
    make.consumer(age=make.days(1))
    monkeypatch.delattr(mail, "outbox")  # as outside of a test run

    request_finished.send(sender=None)
    for thread in looks():
        thread.join()

    assert [one.kind for one in Incident.objects.open()] == ["consumer"]
    assert Consumer.objects.count() == 1
