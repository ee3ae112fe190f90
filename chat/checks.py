"""System checks, so that ``manage.py check`` finds a mistyped setting before the first message does."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def reply_function_exists(**kwargs: Any) -> list[CheckMessage]:
    if not settings.CHAT_REPLY:
        return []
    try:
        import_string(settings.CHAT_REPLY)
    except ImportError as error:
        return [Error(f"CHAT_REPLY={settings.CHAT_REPLY} can't be imported: {error}", id="chat.E001")]
    return []
