"""Who did what, and from where."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from tests import make


@pytest.mark.django_db
def test_a_visitor_acts_from_the_address_of_the_request():
    request = RequestFactory().post("/", REMOTE_ADDR="2001:db8::1")
    request.user = make.user(username="ada")

    assert acts.visitor(request, "dashboard") == Actor("ada", "dashboard from 2001:db8::1")


def test_a_request_from_a_socket_without_addresses_has_an_unknown_one():
    request = RequestFactory().post("/")
    del request.META["REMOTE_ADDR"]
    request.user = AnonymousUser()

    assert acts.visitor(request, "API").origin == "API from unknown"
