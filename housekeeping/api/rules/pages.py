"""Pagination of long lists by DRF's cursors: newest first, and stable while rows are added."""

from datetime import UTC
from typing import Any

from django.core.exceptions import ValidationError as BadValue
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination

LARGEST_PAGE = 200
BAD_CURSOR = "The cursor is not valid: take it from next or previous."


class Pages(CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = LARGEST_PAGE

    def paginate_queryset(self, *args: Any, **options: Any) -> Any:
        """Raises ValidationError for a cursor that does not come from next or previous."""
        try:
            return super().paginate_queryset(*args, **options)
        except (NotFound, BadValue, ValueError, OverflowError):
            raise ValidationError({"cursor": [BAD_CURSOR]}) from None


class PagesOfMoments(Pages):
    def decode_cursor(self, request: Any) -> Any:
        """Raises NotFound unless the position is a moment with an offset, as in valid cursors."""
        cursor: Any = super().decode_cursor(request)
        if cursor and cursor.position is not None:
            moment = parse_datetime(cursor.position)
            if moment is None or timezone.is_naive(moment):
                raise NotFound
            moment.astimezone(UTC)  # the database does this too; OverflowError beyond the year 9999
        return cursor


class RunPages(PagesOfMoments):
    ordering = ("-requested_at", "-id")


class ActPages(PagesOfMoments):
    ordering = ("-done_at", "-id")


class NumberedPages(Pages):
    """Of rows whose key is a number."""

    ordering = "-id"
