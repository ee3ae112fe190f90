"""Examples: requests, with what the project declares, and the problems that the API answers with."""

from dataclasses import dataclass, field
from functools import cache

from rest_framework import exceptions

from housekeeping.api.rules import problems
from housekeeping.api.rules.parsers import LARGEST, TooLarge
from housekeeping.declared.registry import SCHEDULES, TASKS, Task
from housekeeping.reading.as_json.fields import Facts

# --- Requests ---------------------------------------------------------------------------------


def trigger_bodies() -> Facts:
    widest, narrow, plain = _tasks()
    everything = {"Everything": {"task": widest.name}} if len(widest.policies) > 1 else {}
    dry_run = {"Only say what would go": {"task": narrow.name, "dry_run": True}}
    return everything | dry_run | {"Don't wait": {"task": plain.name, "wait": 0}}


def hold_bodies() -> Facts:
    row = {"model": _model(), "key": "4711"}
    return {
        "Until a day": {**row, "until": "2127-01-31", "reason": "A dispute"},
        "For good": {**row, "reason": "Evidence"},
    }


def _tasks() -> tuple[Task, Task, Task]:
    """The project's task with the most policies, its first with a dry run of one policy, and its first
    without policies. Where there is none, another one; where the project has no tasks, the app's own.
    """
    upkeep = {schedule.task.name for schedule in SCHEDULES.values() if schedule.is_upkeep}
    own = [task for task in TASKS.values() if task.name not in upkeep] or list(TASKS.values())
    widest = max(own, key=lambda task: len(task.policies))
    narrow = next((one for one in own if len(one.policies) == 1 and one.can_be_previewed), widest)
    return widest, narrow, next((one for one in own if not one.policies), narrow)


def _model() -> str:
    """A model whose rows can be held; a made-up one if the policy raises an error."""
    try:
        return next(policy.model_name for policy in _tasks()[1].policies)
    except Exception:
        return "app_label.Model"


# --- Problems ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProblemExample:
    why: str
    example: Facts
    headers: Facts = field(default_factory=dict)


@cache
def problem_examples() -> dict[int, ProblemExample]:
    """By their status. Made when they are asked for, as DRF translates its sentences."""
    widest, narrow, plain = _tasks()
    some = ", ".join(dict.fromkeys((widest.name, plain.name)))
    return {
        400: ProblemExample(
            "The request can't be used: fields says why.",
            problems.refused({"task": [f"Name a task; choose one of {some}."]}),
        ),
        401: ProblemExample(
            "No token, or one that is not good (any more).",
            _answer_to(exceptions.NotAuthenticated()),
            _header("WWW-Authenticate", "string", "Bearer"),
        ),
        403: ProblemExample("The account lacks the right.", _answer_to(exceptions.PermissionDenied())),
        404: ProblemExample(
            "There is no such thing.", problems.body("There is nothing at this address.", "not_found")
        ),
        406: ProblemExample(
            "The answer is not to be had in the form that Accept asks for.",
            _answer_to(exceptions.NotAcceptable()),
        ),
        409: ProblemExample(
            "It can't be done as things stand; run is what stands in the way.",
            problems.body("This run is succeeded already.", "not_possible"),
        ),
        413: ProblemExample(f"The body has more than {LARGEST:,} bytes.", _answer_to(TooLarge())),
        415: ProblemExample(
            "The body is not said to be JSON.", _answer_to(exceptions.UnsupportedMediaType("text/plain"))
        ),
        422: ProblemExample(
            "The idempotency key stands for another request.",
            problems.body(
                "The idempotency key 'nightly' stands for another request, run 8f1c…: use a new one.",
                "key_reused",
            ),
        ),
        429: ProblemExample(
            "Too many requests.",
            _answer_to(exceptions.Throttled(42)),
            _header("Retry-After", "integer", "Seconds until the next try is allowed."),
        ),
        500: ProblemExample(
            "The run failed; error says of what.",
            problems.body(
                f"{narrow.title}: failed",
                "run_failed",
                error="IntegrityError: FOREIGN KEY constraint failed",
            ),
        ),
        503: ProblemExample(
            "Database, queue or mail server is out of reach.",
            problems.body("The queue is out of reach.", "queue_unreachable"),
        ),
    }


def _answer_to(error: exceptions.APIException) -> Facts:
    return problems.complete({"detail": str(error.detail)}, str(error.get_codes()))


def _header(name: str, kind: str, meaning: str) -> Facts:
    return {name: {"schema": {"type": kind}, "description": meaning}}
