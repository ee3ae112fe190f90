"""Users, their conversations, and the messages in them."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models.functions import Coalesce, Lower

from chat.clock import Now
from housekeeping.database.clock import StampField

# Each condition protects some accounts: one that an administrator deactivated was verified or has
# signed in before, and staff may have been created by hand.
NEVER_VERIFIED = models.Q(
    is_active=False, email_verified_at=None, last_login=None, is_staff=False, is_superuser=False
)


class AccountManager(UserManager["User"]):
    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: Any
    ) -> "User":
        """Create an administrator on the command line: active and verified at once."""
        fields.setdefault("is_active", True)
        fields.setdefault("email_verified_at", Now())
        user = super().create_superuser(username, email, password, **fields)
        user.refresh_from_db(fields=["email_verified_at"])
        return user


class User(AbstractUser):
    """An account. It can't sign in until its mail address is verified."""

    email = models.EmailField("email address", unique=True)
    date_joined = StampField("date joined", db_default=Now())
    email_verified_at = models.DateTimeField("email verified", null=True, blank=True, editable=False)
    deletion_warned_at = models.DateTimeField("warned of deletion", null=True, blank=True, editable=False)
    is_active = models.BooleanField(
        "active", default=False, help_text="May sign in. Set when the mail address is verified."
    )

    objects: ClassVar[AccountManager] = AccountManager()

    class Meta:
        indexes = [models.Index(fields=["date_joined"], name="user_joined")]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique_in_any_case",
                violation_error_message="A user with that email address already exists.",
            )
        ]

    @property
    def is_verified(self) -> bool:
        return self.email_verified_at is not None


def last_activity() -> Coalesce:
    """The time of a conversation's last message, or of its start if it has none. Indexed."""
    return Coalesce("last_message_at", "created_at", output_field=models.DateTimeField())


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def of(self, user: User) -> "ConversationQuerySet":
        return self.filter(user=user)

    def silent_since(self, moment: datetime) -> "ConversationQuerySet":
        """Conversations without activity at or after ``moment``.

        Looks at the messages, too, and not only at ``last_message_at``: an import may have left that field
        empty, and an active conversation must not look old.
        """
        later_message = ChatMessage.objects.filter(conversation=models.OuterRef("pk"), created_at__gte=moment)
        return self.alias(active_at=last_activity()).filter(
            ~models.Exists(later_message), active_at__lt=moment
        )


class Conversation(models.Model):
    user = models.ForeignKey(User, models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    created_at = StampField(db_default=Now(), db_index=True)
    last_message_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(last_activity(), name="conversation_last_activity")]

    def __str__(self) -> str:
        return self.title or f"Conversation {self.pk}"


class ChatMessage(models.Model):
    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"
        SYSTEM = "system"

    # Null if an import lost the conversation: housekeeping deletes such orphans. The key has no index of
    # its own, because the one on (conversation, created_at) serves it, too. A second one would make every
    # message more expensive to write and to delete.
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", null=True, blank=True, db_index=False
    )
    role = models.CharField(max_length=10, choices=Role)
    content = models.TextField()
    created_at = StampField(db_default=Now(), db_index=True)

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["conversation", "created_at"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=["user", "assistant", "system"]), name="chatmessage_role_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role} message {self.pk}"
