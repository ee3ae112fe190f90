"""The settings in force."""

from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.shapes import several
from housekeeping.reading import as_json, in_force


class SettingList(HousekeepingView):
    @operation("Every setting in force, and where its value comes from", several(as_json.Setting))
    def get(self, request: Request) -> Response:
        return Response({"results": [as_json.Setting.of(one) for one in in_force.read()]})
