"""Users of the site in tests: accounts with certain rights, and a browser without JavaScript."""

import re
from html import unescape

from django.contrib.auth.models import Permission
from django.test import Client
from django.test.html import parse_html

from tests import make

HTMX = {"HX-Request": "true"}


def account(*rights):
    """An ordinary account with these permissions of housekeeping and no others."""
    user = make.user()
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="housekeeping", codename__in=rights)
    )
    return user


def as_user(user):
    client = Client()
    client.force_login(user)
    return client


def text(response):
    """What a person reads: the page without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


def root(answer):
    """The one element that the answer consists of. Anything beside it, or left open, is an error."""
    element = parse_html(answer.text)
    assert element.name, "there is more than one element, or bare text"
    return element, dict(element.attributes)


def poll(client, answer, address):
    """Ask again for a fragment, as htmx does with the tag that came with it."""
    return client.get(address, headers={**HTMX, "HX-PTag": answer["HX-PTag"]})


def answer_of(page):
    """The fields that the form of a confirmation page sends without JavaScript."""
    form = re.search(r'<form method="post" action="[^"]*" class="actions".*?</form>', page.text, re.DOTALL)
    sent = [(name, unescape(value)) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[0])]
    phrase = re.search(r"<label><span>[^<]*<code>(.*?)</code>", form[0])
    return [*sent, ("typed", unescape(phrase[1]))] if phrase else sent


def confirm(client, address, fields=None, **options):
    """Request an action that asks for confirmation, and confirm it."""
    asked = client.post(address, fields) if fields else client.get(address)
    answer = {}
    for name, value in answer_of(asked):
        answer.setdefault(name, []).append(value)
    return client.post(address, answer, **options)
