"""Where Django's messages wait for the next page: in a cookie that is bound to this host, as all are."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class HostCookie(CookieStorage):
    cookie_name = f"{settings.COOKIE_PREFIX}messages"


class Messages(FallbackStorage):
    """MESSAGE_STORAGE. In the session if they are too long for a cookie."""

    storage_classes = (HostCookie, SessionStorage)
