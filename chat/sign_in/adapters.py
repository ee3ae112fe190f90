"""What django-allauth asks the site for: ACCOUNT_ADAPTER and MFA_ADAPTER."""

import base64
import logging
import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from chat import mail
from chat.models import User

BACKEND = "django.contrib.auth.backends.ModelBackend"
SALT = "chat.second_factor"

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def login(self, request: HttpRequest, user: User) -> None:
        user.backend = BACKEND  # the first of AUTHENTICATION_BACKENDS only refuses
        super().login(request, user)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address as everywhere on the site, behind a proxy, too. A Unix socket has none."""
        return request.META.get("REMOTE_ADDR") or "::"

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        # The library sends only to addresses in its own table, which the site does not fill.
        super().send_notification_mail(template_prefix, user, context, email or user.email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        context = {"site_url": settings.SITE_URL} | context
        mail.send(self.render_mail(template_prefix, email, context))


class MFAAdapter(DefaultMFAAdapter):
    """Secrets are encrypted, so that a copy of the database does not make codes."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _cipher().decrypt(encrypted_text).decode()
        except InvalidToken:
            logger.error("A second factor can't be read, because SECRET_KEY has changed: remove it.")
            # A secret that nobody has: no code fits, and the sign-in is refused.
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def build_totp_svg(self, url: str) -> str:
        svg: str = super().build_totp_svg(url)
        return svg[svg.index("<svg") :]  # without the XML declaration, which a page can't have

    def generate_authenticator_name(self, user: User, type: str) -> str:
        return str(Authenticator.objects.filter(user=user, type=type).count() + 1)

    def get_totp_label(self, user: User) -> str:
        return user.get_username()


def _cipher() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key))) for key in keys])


def _derived(key: str | bytes) -> bytes:
    return salted_hmac(SALT, "", secret=key, algorithm="sha256").digest()
