"""The three rights of the contract, as DRF permissions. Superusers have them all."""

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from housekeeping import rights


class _HasRight(BasePermission):
    right: str

    def has_permission(self, request: Request, view: APIView) -> bool:
        # A project may set UNAUTHENTICATED_USER to None.
        return bool(request.user and request.user.is_authenticated and request.user.has_perm(self.right))


class MayView(_HasRight):
    right = rights.VIEW


class MayOperate(_HasRight):
    right = rights.OPERATE


class MayConfigure(_HasRight):
    right = rights.CONFIGURE


class MayOperateOrConfigure(BasePermission):
    """One of the two rights. Which one depends on the body, so the view checks that."""

    right = f"{rights.OPERATE} or {rights.CONFIGURE}"  # for the description

    def has_permission(self, request: Request, view: APIView) -> bool:
        return any(may().has_permission(request, view) for may in (MayOperate, MayConfigure))


def check_right(request: Request, permission: type[_HasRight]) -> None:
    """Raises PermissionDenied if the user lacks the right."""
    if not request.user.has_perm(permission.right):
        raise PermissionDenied
