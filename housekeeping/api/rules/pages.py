"""Pages of long lists, by DRF's cursors."""

from datetime import UTC
from typing import Any

from django.core.exceptions import ValidationError as BadValue
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination

BAD_CURSOR = "This is no cursor of ours: follow next and previous."


class Pages(CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, *args: Any, **options: Any) -> Any:
        """Raises ValidationError for a cursor that was made up, not taken from a page."""
        try:
            return super().paginate_queryset(*args, **options)
        except (NotFound, BadValue, ValueError, OverflowError):
            raise ValidationError({"cursor": [BAD_CURSOR]}) from None


class PagesOfMoments(Pages):
    def decode_cursor(self, request: Any) -> Any:
        """Raises NotFound for a place that is no moment with its offset, as ours are."""
        cursor: Any = super().decode_cursor(request)
        if cursor and cursor.position is not None:
            moment = parse_datetime(cursor.position)
            if moment is None or timezone.is_naive(moment):
                raise NotFound
            moment.astimezone(UTC)  # as the database keeps it: OverflowError beyond the calendar
        return cursor


class RunPages(PagesOfMoments):
    ordering = ("-requested_at", "-id")


class ActPages(PagesOfMoments):
    ordering = ("-done_at", "-id")


class HoldPages(Pages):
    ordering = "-id"
