"""The club's own rules for its API: text in capitals, and no explanations."""

from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response


class Shout(BaseRenderer):
    media_type, format = "text/plain", "txt"

    def render(self, data, media_type=None, context=None):
        return str(data).upper()


def shrug(error, context):
    return Response("no idea", status=418)
