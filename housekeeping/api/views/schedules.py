"""Schedules: look at them, pause them, change their triggers, run them now."""

from django.db import transaction
from rest_framework.decorators import api_view, permission_classes, throttle_classes
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.asked import actor, read
from housekeeping.api.description import shapes
from housekeeping.api.description.schema import described, request_example
from housekeeping.api.rules import throttles
from housekeeping.api.rules.permissions import MayConfigure, MayOperate, MaySteer, MayView, check_right
from housekeeping.api.serializers import (
    FireTimesSerializer,
    PauseSerializer,
    ScheduleSerializer,
    WaitSerializer,
)
from housekeeping.api.views.run_acts import LOCATION, WAITED, answer_with
from housekeeping.database import clock
from housekeeping.declared.triggers import parse
from housekeeping.queue import tasks as queue
from housekeeping.reading import as_json, overview
from housekeeping.runs import control, schedules


@described("Every schedule", shapes.several(shapes.Job), methods=["GET"])
@described(
    "Pause or resume all schedules",
    shapes.several(shapes.Job),
    asked=PauseSerializer,
    methods=["PATCH"],
    examples=[request_example("Pause", {"paused": True})],
)
@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def schedule_list(request: Request) -> Response:
    """Every schedule; PATCH ``{"paused": true}`` pauses all of them, and false resumes them."""
    if request.method == "PATCH":
        check_right(request, MayOperate)
        asked = read(PauseSerializer, request.data)
        steer = schedules.pause_all if asked["paused"] else schedules.resume_all
        steer(by=actor(request))
    now = clock.roughly()
    jobs = overview.scheduler_status(now).schedules
    return Response({"results": [as_json.schedule(job, now) for job in jobs]})


@described("A schedule", shapes.Job, methods=["GET"])
@described(
    "Pause a schedule, or change its trigger",
    shapes.Job,
    asked=ScheduleSerializer,
    methods=["PATCH"],
    examples=[
        request_example("Pause", {"paused": True}),
        request_example("At 2:00 AM", {"trigger": "0 2 * * *"}),
        request_example("Every six hours", {"trigger": "06:00:00"}),
        request_example("As declared", {"reset": True}),
    ],
)
@api_view(["GET", "PATCH"])
@permission_classes([MaySteer])
def schedule_detail(request: Request, pk: str) -> Response:
    """A schedule; PATCH pauses it or changes its trigger, all that is asked for or nothing."""
    schedules.find(pk)
    if request.method == "PATCH":
        asked = read(ScheduleSerializer, request.data)
        if "paused" in asked:
            check_right(request, MayOperate)
        if {"trigger", "reset"} & set(asked):
            check_right(request, MayConfigure)
        with transaction.atomic():
            if "paused" in asked:
                steer = schedules.pause if asked["paused"] else schedules.resume
                steer(pk, by=actor(request))
            if "trigger" in asked:
                schedules.change(pk, asked["trigger"], by=actor(request))
            if asked.get("reset"):
                schedules.reset(pk, by=actor(request))
    now = clock.roughly()
    [job] = [job for job in overview.scheduler_status(now).schedules if job.schedule.id == pk]
    return Response(as_json.schedule(job, now))


@described(
    "Run a schedule's task now, as a run of that schedule",
    WAITED,
    asked=WaitSerializer,
    also=[409, 500],
    parameters=[LOCATION],
)
@api_view(["POST"])
@permission_classes([MayOperate])
@throttle_classes([throttles.Trigger])
def run_schedule(request: Request, pk: str) -> Response:
    task = schedules.find(pk).schedule.task.name
    asked = read(WaitSerializer, request.data)
    run = control.request(task, send=queue.send, schedule=pk, by=actor(request))
    return answer_with(request, control.wait(run, asked["wait"]))


@described(
    "When a trigger would fire, before it is saved", shapes.FireTimes, parameters=[FireTimesSerializer]
)
@api_view(["GET"])
@permission_classes([MayView])
def fire_times(request: Request) -> Response:
    """When a trigger would fire: ``?trigger=0 2 * * *``, before it is saved."""
    trigger = parse(read(FireTimesSerializer, request.query_params.dict())["trigger"])
    times = schedules.fire_times(trigger, clock.roughly())
    return Response({"trigger": str(trigger), "next_fire_times": [as_json.iso(moment) for moment in times]})
