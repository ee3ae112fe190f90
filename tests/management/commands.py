"""Calls of commands, within the test and as processes, and the rows they leave."""

import os
import subprocess
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from chat.models import ChatMessage, Conversation, User


def output(*words):
    """What the command prints."""
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def failure(*words):
    """What a command prints, on both streams, that ends with exit code 1."""
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command(*words, stdout=out, stderr=out)
    assert end.value.code == 1
    return out.getvalue()


def manage(*words, **variables):
    """The command as a process of its own, on this test's database."""
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url} | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def rows():
    return Conversation.objects.count(), ChatMessage.objects.count(), User.objects.count()
