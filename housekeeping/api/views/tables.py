"""The tables of the database: how large they are, how they grow, and a policy for one."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.serializers import QueryRetentionField, Strict
from housekeeping.api.views.figures import etag_but_for_age
from housekeeping.exceptions import BadSize
from housekeeping.reading import as_json
from housekeeping.reading.tables import drafts, listing


@extend_schema_field({"type": "string", "pattern": f"^{listing.SIZE}$"})
class SizeField(serializers.CharField):
    """A size in bytes, as people write it."""

    def to_internal_value(self, data: str) -> int:  # type: ignore[override]
        try:
            return listing.parse_size(super().to_internal_value(data))
        except BadSize as error:
            raise serializers.ValidationError(str(error)) from None


class UntilSerializer(Strict):
    until = SizeField(required=False, help_text="A size such as 500MB, 10GB or 2TB, for days_until.")


class TablesSerializer(UntilSerializer):
    sort = serializers.ChoiceField(
        listing.SORTS,
        default="size",
        error_messages={"invalid_choice": f"Choose one of {', '.join(listing.SORTS)}."},
        help_text="The largest first; names in their order.",
    )


class TableSerializer(UntilSerializer):
    column = serializers.CharField(required=False, help_text="The age of the drafted policy.")
    retention_days = QueryRetentionField(required=False, help_text="Of the drafted policy.")


class TableList(HousekeepingView):
    """Every table of the database, as a consumer has measured it."""

    @operation("Every table, with its size and its growth", as_json.Tables, query=TablesSerializer)
    def get(self, request: Request) -> Response:
        asked = self.read()
        body = as_json.Tables.of(listing.read(sort=asked["sort"], until=asked.get("until")))
        return Response(body, headers=etag_but_for_age(body))


class TableDetail(HousekeepingView):
    """A table, the ages of its rows, and a policy that could purge it."""

    @operation("A table, and a policy for it", as_json.TableInFull, query=TableSerializer)
    def get(self, request: Request, name: str) -> Response:
        asked = self.read()
        card = listing.card(name, until=asked.get("until"))
        draft = drafts.draft(card, column=asked.get("column"), days=asked.get("retention_days"))
        body = as_json.table_in_full(card, draft)
        return Response(body, headers=etag_but_for_age(body))
