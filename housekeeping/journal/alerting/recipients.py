"""The mail addresses of those who can act on an alert."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_backends, get_user_model
from django.core.exceptions import FieldError

from housekeeping import rights


def of_alerts() -> list[str]:
    """The addresses of active accounts that may operate; if none has one, those of ADMINS."""
    return operators() or _admins()


def operators() -> list[str]:
    """The addresses of active accounts that may operate."""
    people = [address for backend in get_backends() for address in _known_to(backend)]
    return list(dict.fromkeys(people))


def _known_to(backend: Any) -> list[str]:
    """The addresses of those who may operate by an authentication backend; none if it can't tell."""
    model = get_user_model()
    name = getattr(model, "EMAIL_FIELD", "email")
    fields = {field.name for field in model._meta.get_fields()}
    if not hasattr(backend, "with_perm") or name not in fields:
        return []
    # As Django's own: without the field, every account is active.
    is_active = {} if "is_active" in fields else {"is_active": None}
    try:
        people = backend.with_perm(rights.OPERATE, **is_active).order_by("pk")
        return [address for address in people.values_list(name, flat=True) if address]
    except (FieldError, TypeError):  # a backend for another kind of user model
        return []


def _admins() -> list[str]:
    """Django's ADMINS: addresses, or before Django 6.0 pairs of a name and an address."""
    return [admin if isinstance(admin, str) else admin[1] for admin in settings.ADMINS]
