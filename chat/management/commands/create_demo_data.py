"""Fill the site with data, some of it expired, so that a purge has something to delete."""

import random
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, transaction
from django.utils import timezone
from tqdm import tqdm

from chat.models import ChatMessage, Conversation, User

Row = TypeVar("Row", bound=models.Model)

BATCH = 5_000
QUESTIONS = (
    "How do I export my data?",
    "Why is the build slow?",
    "Plan a week in Lisbon",
    "Explain database indexes",
    "Write a haiku about backups",
    "What is a cron expression?",
)


class Command(BaseCommand):
    help = "Creates users, conversations and messages: some fresh, some past their retention."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--conversations", type=int, default=600, help="how many (default: 600)")
        parser.add_argument(
            "--first-run",
            action="store_true",
            help="only if there are no users yet; also create an administrator and print the password",
        )

    def handle(self, *args: Any, conversations: int, first_run: bool, **options: Any) -> None:
        if conversations < 1:
            raise CommandError("--conversations must be a whole number, at least 1.")
        if first_run:
            if User.objects.exists():
                return
            self._create_administrator()  # first, so that an interrupted start leaves a way to sign in
        now = timezone.now()
        with tqdm(total=conversations, unit=" conversations", disable=None, leave=False) as bar:
            self._create(conversations, now, bar)
        self.stdout.write(
            f"Created {conversations} conversations with their messages, a third of them older than 30 days,"
            " and some orphaned messages and never-verified accounts."
        )

    def _create(self, conversations: int, now: datetime, bar: "tqdm[Any]") -> None:
        chance = random.Random()  # noqa: S311 (demo data)
        tag = secrets.token_hex(3)  # keeps the names of several calls apart
        owners = _insert(_users(max(conversations // 20, 3), tag, now))
        _insert(_never_verified(max(conversations // 25, 3), tag, now))
        _insert(_orphans(max(conversations // 15, 5), now, chance))
        drafts = _conversations(conversations, owners, now, chance)
        while batch := _insert(islice(drafts, BATCH)):
            _insert(_messages(batch, chance))
            bar.update(len(batch))

    def _create_administrator(self) -> None:
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser("admin", "admin@localhost.localdomain", password)
        self.stdout.write("\nThe administrator, shown this once:")
        self.stdout.write(f"  name      admin\n  password  {password}\n")


def _insert(rows: Iterable[Row]) -> list[Row]:
    """Insert in batches, one transaction each. Returns the rows with their keys."""
    source, inserted = iter(rows), []
    while batch := list(islice(source, BATCH)):
        with transaction.atomic():
            inserted += type(batch[0])._default_manager.bulk_create(batch)
    return inserted


def _users(count: int, tag: str, now: datetime) -> Iterator[User]:
    unusable = make_password(None)
    for number in range(count):
        name = f"person-{tag}-{number}"
        yield User(
            username=name,
            email=f"{name}@example.com",
            password=unusable,
            is_active=True,
            email_verified_at=now - timedelta(days=90),
            date_joined=now - timedelta(days=91),
        )


def _never_verified(count: int, tag: str, now: datetime) -> Iterator[User]:
    """Half of them are older than the retention of seven days."""
    unusable = make_password(None)
    for number in range(count):
        name = f"visitor-{tag}-{number}"
        age = timedelta(days=20 if number % 2 else 2)
        yield User(username=name, email=f"{name}@example.com", password=unusable, date_joined=now - age)


def _conversations(
    count: int, owners: list[User], now: datetime, chance: random.Random
) -> Iterator[Conversation]:
    for number in range(count):
        days = chance.uniform(31, 120) if number % 3 == 0 else chance.uniform(0.01, 29)
        start = now - timedelta(days=days)
        yield Conversation(
            user=chance.choice(owners),
            title=chance.choice(QUESTIONS),
            created_at=start,
            last_message_at=start + timedelta(minutes=5),
        )


def _messages(conversations: list[Conversation], chance: random.Random) -> Iterator[ChatMessage]:
    for conversation in conversations:
        for turn in range(chance.randint(1, 5)):
            role = ChatMessage.Role.ASSISTANT if turn % 2 else ChatMessage.Role.USER
            yield ChatMessage(
                conversation=conversation,
                role=role,
                content=conversation.title if not turn else f"Turn {turn + 1} of a demo conversation.",
                created_at=conversation.created_at + timedelta(minutes=turn),
            )


def _orphans(count: int, now: datetime, chance: random.Random) -> Iterator[ChatMessage]:
    for _ in range(count):
        yield ChatMessage(
            role=ChatMessage.Role.USER,
            content="A message whose conversation was lost in an import.",
            created_at=now - timedelta(days=chance.uniform(0, 60)),
        )
