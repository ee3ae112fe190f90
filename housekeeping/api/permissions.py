"""The three rights of the contract, as DRF permissions. Superusers have them all."""

from rest_framework.permissions import BasePermission
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
