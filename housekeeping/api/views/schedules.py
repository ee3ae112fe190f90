"""Schedules: list, pause and resume them, change their triggers, run them now."""

from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.shapes import several
from housekeeping.api.rules.permissions import MayConfigure, MayOperate, MayOperateOrConfigure, check_right
from housekeeping.api.serializers import (
    FireTimesSerializer,
    PauseSerializer,
    ScheduleSerializer,
    WaitSerializer,
)
from housekeeping.api.views.run_acts import opens_run, standing
from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared.triggers import parse
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json, overview
from housekeeping.runs import control, schedules


class ScheduleList(HousekeepingView):
    """Every schedule; PATCH ``{"paused": true}`` pauses all of them, and false resumes them."""

    changeable = ("id", "paused")

    @operation("Every schedule", several(as_json.Job))
    def get(self, request: Request) -> Response:
        now = clock.roughly()
        jobs = overview.scheduler_status(now).schedules
        return Response({"results": [as_json.schedule(job, now) for job in jobs]})

    @operation(
        "Pause or resume all schedules",
        several(as_json.Job),
        right=MayOperate,
        body=PauseSerializer,
        examples=lambda: {"Pause": {"paused": True}},
    )
    def patch(self, request: Request) -> Response:
        steer = schedules.pause_all if self.read()["paused"] else schedules.resume_all
        steer(by=self.actor)
        return self.get(request)


class ScheduleDetail(HousekeepingView):
    """A schedule; PATCH pauses it or changes its trigger. It makes all requested changes, or none."""

    changeable = ("paused", "expression")

    @operation("A schedule", as_json.Job)
    def get(self, request: Request, pk: str) -> Response:
        schedules.find(pk)
        now = clock.roughly()
        [job] = [job for job in overview.scheduler_status(now).schedules if job.schedule.id == pk]
        return Response(as_json.schedule(job, now))

    @operation(
        "Pause a schedule, or change its trigger",
        as_json.Job,
        right=MayOperateOrConfigure,
        body=ScheduleSerializer,
        examples=lambda: {
            "Pause": {"paused": True},
            "At 2:00 AM": {"trigger": "0 2 * * *"},
            "Every six hours": {"trigger": "06:00:00"},
            "As declared": {"reset": True},
        },
    )
    def patch(self, request: Request, pk: str) -> Response:
        schedules.find(pk)
        asked = self.read()
        if "paused" in asked:
            check_right(request, MayOperate)
        if {"trigger", "reset"} & set(asked):
            check_right(request, MayConfigure)
        with writing():
            if "paused" in asked:
                steer = schedules.pause if asked["paused"] else schedules.resume
                steer(pk, by=self.actor)
            if "trigger" in asked:
                schedules.change(pk, asked["trigger"], by=self.actor)
            if asked.get("reset"):
                schedules.reset(pk, by=self.actor)
        return self.get(request, pk)


class RunSchedule(HousekeepingView):
    @opens_run("Run a schedule's task now, as a run of that schedule", right=MayOperate, body=WaitSerializer)
    def post(self, request: Request, pk: str) -> Response:
        task = schedules.find(pk).schedule.task.name
        wait = self.read()["wait"]
        run = control.request(task, send=queue.send, schedule=pk, by=self.actor)
        return standing(request, control.wait(run, wait))


class FireTimes(HousekeepingView):
    """When a trigger would fire: ``?trigger=0 2 * * *``, before it is saved."""

    @operation("When a trigger would fire, before it is saved", as_json.FireTimes, query=FireTimesSerializer)
    def get(self, request: Request) -> Response:
        return Response(as_json.fire_times(parse(self.read()["trigger"]), clock.roughly()))
