"""A purge and its undo on a project with DEBUG on, whose cursors are others."""

import pytest

from chat.models import ChatMessage, Conversation
from housekeeping.models import Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import days


@pytest.mark.django_db(transaction=True)
def test_rows_go_and_come_back_where_debug_is_on(settings):
    settings.DEBUG = True
    make.conversation(age=days(31), messages=2)
    purge = execution.execute(execution.claim(make.run("conversations").pk, 0))
    assert (purge.error, Conversation.objects.count()) == ("", 0)

    undo = control.undo(purge, send=lambda run: None)
    undo = execution.execute(execution.claim(undo.pk, 0))

    assert (undo.error, undo.status) == ("", Run.Status.SUCCEEDED)
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (1, 2)
