"""The three rights of the contract, as DRF permissions. Superusers have them all."""

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class _HasRight(BasePermission):
    right: str

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated and request.user.has_perm(self.right))


class MayView(_HasRight):
    right = "housekeeping.view_run"


class MayOperate(_HasRight):
    right = "housekeeping.operate"


class MayConfigure(_HasRight):
    right = "housekeeping.configure"


class MaySteer(BasePermission):
    """Who may view may GET; who operates or configures may PATCH: the view asks which of the two."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = MayView if request.method in SAFE_METHODS else _MayOperateOrConfigure
        return needed().has_permission(request, view)


class MayKeep(BasePermission):
    """Who may view may GET; who configures may make, change and end holds."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = MayView if request.method in SAFE_METHODS else MayConfigure
        return needed().has_permission(request, view)


class _MayOperateOrConfigure(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return MayOperate().has_permission(request, view) or MayConfigure().has_permission(request, view)


def check_right(request: Request, permission: type[_HasRight]) -> None:
    """Raises PermissionDenied where what is asked for needs a right that the user lacks."""
    if not request.user.has_perm(permission.right):
        raise PermissionDenied
