"""The renderers of answers: JSON, and CSV for receipts."""

from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer


class PlainJSONRenderer(JSONRenderer):
    """JSON by DRF's defaults, regardless of the project's settings."""

    compact, ensure_ascii, strict = True, False, True


class CSVRenderer(BaseRenderer):
    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> Any:
        return data
