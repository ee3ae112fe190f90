"""Conversations: starting one, posting messages, deleting one."""

import logging

from django.db import transaction

from chat import replies
from chat.clock import Now
from chat.models import ChatMessage, Conversation, User
from housekeeping import is_held, wait_for_new_holds

logger = logging.getLogger(__name__)

TITLE_LENGTH = 60


class ConversationHeld(Exception):
    """A hold keeps the conversation, so it can't be deleted."""


def start(user: User, title: str = "") -> Conversation:
    return Conversation.objects.create(user=user, title=title)


def post(
    conversation: Conversation, content: str, role: ChatMessage.Role = ChatMessage.Role.USER
) -> ChatMessage:
    """Add a message and set the conversation's last activity.

    Raises Conversation.DoesNotExist if the conversation has been deleted meanwhile.
    """
    mine = Conversation.objects.filter(pk=conversation.pk)
    with transaction.atomic():
        # The update comes first, because it locks the row: a purge at the same moment either sees this
        # activity, or has already deleted the conversation.
        if not mine.update(last_message_at=Now()):
            raise Conversation.DoesNotExist
        now = mine.values_list("last_message_at", flat=True).get()
        assert now is not None  # set by the update above
        return ChatMessage.objects.create(
            conversation=conversation, role=role, content=content, created_at=now
        )


def say(
    user: User, content: str, conversation: Conversation | None = None
) -> tuple[ChatMessage, ChatMessage | None]:
    """Post a message of ``user``, in a new conversation if none is given.

    Returns the message and the reply, or None if there is none. If the reply function fails, the message
    stays.
    """
    with transaction.atomic():
        conversation = conversation or start(user, title=_title(content))
        message = post(conversation, content)
    try:
        answer = replies.reply(conversation, message)
        reply = post(conversation, answer, ChatMessage.Role.ASSISTANT) if answer else None
    except Exception:
        logger.exception("The reply function failed on message %s", message.pk)
        reply = None
    return message, reply


def delete(conversation: Conversation) -> None:
    """Delete the conversation with all its messages, including one that arrives meanwhile.

    Raises ConversationHeld if a hold is on it, on its user, or on one of its messages.
    """
    with transaction.atomic():
        wait_for_new_holds()  # before any row is locked, as making a hold locks rows, too
        # Lock the row before the messages: one that is being posted waits for this, or this waits for it.
        for locked in Conversation.objects.select_for_update().filter(pk=conversation.pk):
            if is_held(locked):
                raise ConversationHeld
            locked.delete()


def _title(content: str) -> str:
    line = " ".join(content.split())
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1]}…"
