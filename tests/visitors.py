"""Who uses the site in tests: accounts by their rights, and what a browser without JavaScript sends."""

import re
from html import unescape

from django.contrib.auth.models import Permission

from tests import make


def account(*rights):
    """An ordinary account that holds these of our permissions, and no others."""
    user = make.user()
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="housekeeping", codename__in=rights)
    )
    return user


def answer_of(page):
    """What the form of a question sends, without JavaScript."""
    form = re.search(r'<form method="post" action="[^"]*" class="actions".*?</form>', page.text, re.DOTALL)
    return [(name, unescape(value)) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[0])]


def confirm(client, address, fields=None, **options):
    """Press what asks before it deletes, and answer."""
    asked = client.post(address, fields) if fields else client.get(address)
    answer = {}
    for name, value in answer_of(asked):
        answer.setdefault(name, []).append(value)
    return client.post(address, answer, **options)
