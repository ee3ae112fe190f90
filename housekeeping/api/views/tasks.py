"""Tasks: list them, pause and resume them, acknowledge that one fails."""

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.shapes import several
from housekeeping.api.rules.permissions import MayOperate
from housekeeping.api.serializers import AcknowledgementSerializer, DaysSerializer, TaskSerializer
from housekeeping.database import clock
from housekeeping.declared import registry
from housekeeping.exceptions import UnknownTask
from housekeeping.reading import as_json, tasks
from housekeeping.reading.runs import trends
from housekeeping.runs import acknowledgements, schedules


class TaskList(HousekeepingView):
    @operation("Every task", several(as_json.Task))
    def get(self, request: Request) -> Response:
        return Response({"results": [as_json.Task.of(card) for card in tasks.cards()]})


class TaskDetail(HousekeepingView):
    """A task; PATCH pauses or resumes it. A person can start a paused task, but no schedule does."""

    changeable = ("paused", "pause_reason")

    @operation("A task", as_json.Task)
    def get(self, request: Request, name: str) -> Response:
        _check_known(name)
        return Response(as_json.Task.of(tasks.card(name)))

    @operation(
        "Pause or resume a task",
        as_json.Task,
        right=MayOperate,
        body=TaskSerializer,
        examples=lambda: {
            "Pause": {"paused": True, "reason": "Until the new archive is in place"},
            "Resume": {"paused": False},
        },
    )
    def patch(self, request: Request, name: str) -> Response:
        _check_known(name)
        asked = self.read()
        if asked["paused"]:
            schedules.pause_task(name, reason=asked["reason"], by=self.actor)
        else:
            schedules.resume_task(name, by=self.actor)
        return self.get(request, name)


class Trends(HousekeepingView):
    @operation(
        "A task's runs, failures, rows and durations by day, and what is usual",
        as_json.TaskTrends,
        query=DaysSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        _check_known(name)
        days = self.read()["days"]
        return Response(as_json.TaskTrends.of(trends.of_task(name, clock.roughly(), days=days)))


class Acknowledgement(HousekeepingView):
    """PUT acknowledges that a task fails: the verdict leaves it out until it succeeds. DELETE ends that."""

    @operation(
        "Acknowledge that a task fails",
        as_json.Task,
        right=MayOperate,
        body=AcknowledgementSerializer,
        examples=lambda: {
            "Until it succeeds": {"reason": "The disk is ordered"},
            "Until a day": {"reason": "Looked at on Monday", "until": "2127-01-31"},
        },
        also=[409],
    )
    def put(self, request: Request, name: str) -> Response:
        _check_known(name)
        asked = self.read()
        acknowledgements.acknowledge(name, until=asked["until"], reason=asked["reason"], by=self.actor)
        return Response(as_json.Task.of(tasks.card(name)))

    @operation("End an acknowledgement", as_json.Task, right=MayOperate)
    def delete(self, request: Request, name: str) -> Response:
        _check_known(name)
        acknowledgements.end(name, by=self.actor)
        return Response(as_json.Task.of(tasks.card(name)))


def _check_known(name: str) -> None:
    """Raises NotFound. Elsewhere, an unknown task is a conflict: an old run's can't be retried."""
    try:
        registry.find_task(name)
    except UnknownTask as error:
        raise NotFound(str(error)) from None
