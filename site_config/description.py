"""How the API of the whole site is described: that of housekeeping, that of the chat, and the tokens."""

from rest_framework_simplejwt.views import TokenViewBase

from housekeeping.api.description.document import Description
from housekeeping.api.description.schema import Schema as OwnSchema
from housekeeping.api.description.views import SchemaView

WHOLE = Description("schema")


class SiteSchema(OwnSchema):
    """DRF's DEFAULT_SCHEMA_CLASS."""

    def get_tags(self) -> list[str]:
        return ["tokens"] if isinstance(self.view, TokenViewBase) else ["chat"]

    def looks_at_tokens(self) -> bool:
        return super().looks_at_tokens() or isinstance(self.view, TokenViewBase)


class Schema(SchemaView):
    described = WHOLE
