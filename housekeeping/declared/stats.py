"""The five numbers that describe the site, and their snapshots."""

from collections.abc import Callable
from datetime import timedelta

from django.db import connection

from chat.models import ChatMessage, Conversation, User
from housekeeping.database import clock
from housekeeping.models import Snapshot

Numbers = dict[str, int]
Measure = Callable[[], Numbers]


def measure() -> Numbers:
    """Count now. The last two numbers are of the last 24 hours."""
    yesterday = clock.now() - timedelta(hours=24)
    return {
        "total_users": User.objects.filter(is_active=True).count(),
        "total_conversations": Conversation.objects.count(),
        "total_messages": ChatMessage.objects.count(),
        "recent_conversations_24h": Conversation.objects.filter(created_at__gte=yesterday).count(),
        "recent_messages_24h": ChatMessage.objects.filter(created_at__gte=yesterday).count(),
    }


def take_snapshot() -> Numbers:
    """Count now, and keep the numbers with the database's size."""
    numbers = measure()
    Snapshot.objects.create(taken_at=clock.Now(), numbers=numbers, database_bytes=database_bytes())
    return numbers


def database_bytes() -> int:
    """What the database takes up on disk, free pages included."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        size: int = cursor.fetchone()[0]
    return size
