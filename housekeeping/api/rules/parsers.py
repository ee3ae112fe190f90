"""The parser of bodies: JSON of bounded size and depth."""

import io
from typing import Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

LARGEST = 1_000_000  # bytes


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"The body is too large: at most {LARGEST:,} bytes."


class BoundedJSONParser(JSONParser):
    """DRF's own parser accepts a body of any size, and fails with 500 if it is nested too deeply."""

    strict = True  # no NaN or Infinity, regardless of the project's settings

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise TooLarge
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
