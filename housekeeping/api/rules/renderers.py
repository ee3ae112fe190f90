"""How answers are written: as JSON, and a receipt also as CSV."""

from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer


class PlainJSONRenderer(JSONRenderer):
    """JSON as DRF writes it by default, whatever a project has set."""

    compact, ensure_ascii, strict = True, False, True


class CSVRenderer(BaseRenderer):
    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> Any:
        return data
