"""Who answers a message: the function that CHAT_REPLY names, or nobody."""

from collections.abc import Callable

from django.conf import settings
from django.utils.module_loading import import_string

from chat.models import ChatMessage, Conversation

Reply = Callable[[Conversation, ChatMessage], str | None]


def reply(conversation: Conversation, message: ChatMessage) -> str | None:
    """The text that answers ``message``. Raises what the site's own function raises."""
    if not settings.CHAT_REPLY:
        return None
    answer: Reply = import_string(settings.CHAT_REPLY)
    return answer(conversation, message)
