"""Rules of a project for its own API."""

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle


class TakeTheFirst(BaseContentNegotiation):
    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class LetNobodyIn(BasePermission):
    def has_permission(self, request, view):
        return False


class LetNobodyAskTwice(BaseThrottle):
    def allow_request(self, request, view):
        return False


class Shout(BaseRenderer):
    media_type, format = "text/loud", "loud"

    def render(self, data, media_type=None, context=None):
        return str(data).upper()


def swallow(error, context):
    return Response({"all": "is well"})


def hide_all(endpoints):
    return []
