"""The statistics of this site: on the dashboard, in the API, in the metrics, and saved every six hours."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from chat.models import ChatMessage, Conversation, User
from housekeeping import statistic
from housekeeping.database import clock

RECENT = timedelta(hours=24)


@statistic(label=_("Active users"))
def total_users() -> int:
    return User.objects.filter(is_active=True).count()


@statistic(label=_("Conversations"))
def total_conversations() -> int:
    return Conversation.objects.count()


@statistic(label=_("Messages"))
def total_messages() -> int:
    return ChatMessage.objects.count()


@statistic(label=_("Conversations, 24 h"), is_charted=False)
def recent_conversations_24h() -> int:
    return Conversation.objects.filter(created_at__gte=clock.now() - RECENT).count()


@statistic(label=_("Messages, 24 h"), is_charted=False)
def recent_messages_24h() -> int:
    return ChatMessage.objects.filter(created_at__gte=clock.now() - RECENT).count()
