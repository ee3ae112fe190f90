"""How the site's own API is described: the chat's, and the tokens for it and for the housekeeping's."""

from rest_framework_simplejwt.views import TokenViewBase

from housekeeping.api.description.schema import Schema


class SiteSchema(Schema):
    """DRF's DEFAULT_SCHEMA_CLASS."""

    def get_tags(self) -> list[str]:
        return ["tokens"] if isinstance(self.view, TokenViewBase) else ["chat"]

    def looks_at_tokens(self) -> bool:
        return super().looks_at_tokens() or isinstance(self.view, TokenViewBase)
