"""The parser of bodies: JSON of bounded size and depth, in which each key is given once."""

import json
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

LARGEST = 1_000_000  # bytes
LONGEST_SHOWN = 100  # characters of a key


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"The body is too large: at most {LARGEST:,} bytes."


class BoundedJSONParser(JSONParser):
    """DRF's own parser accepts a body of any size, fails with 500 if it is nested too deeply, and reads the
    last of several values for one key. A proxy that checks the first one would have checked another request.
    """

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise TooLarge
        try:
            encoding = (parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)
            text = body.decode(encoding)
            # No NaN or Infinity, regardless of the project's settings.
            return json.loads(text, parse_constant=strict_constant, object_pairs_hook=_object)
        except (ValueError, LookupError) as error:  # LookupError: no encoding of text
            raise ParseError(f"JSON parse error - {error}") from None
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ParseError(f"JSON parse error - {json.dumps(key[:LONGEST_SHOWN])} is given more than once")
        found[key] = value
    return found
