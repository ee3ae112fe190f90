"""Replies to messages, from the function that CHAT_REPLY names."""

from collections.abc import Callable

from django.conf import settings
from django.utils.module_loading import import_string

from chat.models import ChatMessage, Conversation

Reply = Callable[[Conversation, ChatMessage], str | None]


def reply(conversation: Conversation, message: ChatMessage) -> str | None:
    """The reply to ``message``, or None. Raises what the site's function raises."""
    if not settings.CHAT_REPLY:
        return None
    answer: Reply = import_string(settings.CHAT_REPLY)
    return answer(conversation, message)
