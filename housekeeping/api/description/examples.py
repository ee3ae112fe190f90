"""Examples of requests, which use the project's declarations, and of the problems that the API answers."""

from dataclasses import dataclass, field
from functools import cache

from rest_framework import exceptions

from housekeeping.api.rules import preconditions, problems
from housekeeping.api.rules.parsers import LARGEST, TooLarge
from housekeeping.declared.registry import SCHEDULES, TASKS, Task
from housekeeping.reading.as_json.fields import Facts

# --- Requests ---------------------------------------------------------------------------------


def trigger_bodies() -> Facts:
    widest, narrow, plain = _tasks()
    everything = {"Everything": {"task": widest.name}} if len(widest.policies) > 1 else {}
    dry_run = {"Only show what would be deleted": {"task": narrow.name, "dry_run": True}}
    return everything | dry_run | {"Don't wait": {"task": plain.name, "wait": 0}}


def hold_bodies() -> Facts:
    row = {"model": _model(), "key": "4711"}
    return {
        "Until a day": {**row, "until": "2127-01-31", "reason": "A dispute"},
        "Without an end": {**row, "reason": "Evidence"},
    }


def old_rows() -> None:
    """Stands in for a task of the project."""


MADE_UP = Task("old_rows", old_rows, (), "")


def _tasks() -> tuple[Task, Task, Task]:
    """Three tasks of the project: the one with the most policies, the first one with a single policy and
    a dry run, and the first one without policies. They may be the same. A project without tasks gets the
    app's own, or a made-up one if these could not be imported.
    """
    upkeep = {schedule.task.name for schedule in SCHEDULES.values() if schedule.is_upkeep}
    own = [task for task in TASKS.values() if task.name not in upkeep] or list(TASKS.values()) or [MADE_UP]
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
            "The request is not valid: fields has the reasons.",
            problems.refused({"task": [f"Name a task; choose one of {some}."]}),
        ),
        401: ProblemExample(
            "The token is missing, not valid or expired.",
            _answer_to(exceptions.NotAuthenticated()),
            _header("WWW-Authenticate", "string", "Bearer"),
        ),
        403: ProblemExample("The account lacks the right.", _answer_to(exceptions.PermissionDenied())),
        404: ProblemExample("Not found.", problems.body("There is nothing at this address.", "not_found")),
        406: ProblemExample(
            "The response is not available in a format that Accept names.",
            _answer_to(exceptions.NotAcceptable()),
        ),
        409: ProblemExample(
            "The current state does not allow it. If a run is in the way, run has it.",
            problems.body("This run has already ended: succeeded.", "not_possible"),
        ),
        412: ProblemExample(
            "The object has changed since the ETag in If-Match.", _answer_to(preconditions.Changed())
        ),
        413: ProblemExample(f"The body has more than {LARGEST:,} bytes.", _answer_to(TooLarge())),
        415: ProblemExample(
            "The Content-Type is not JSON.", _answer_to(exceptions.UnsupportedMediaType("text/plain"))
        ),
        422: ProblemExample(
            "The idempotency key was used for a different request.",
            problems.body(
                "The idempotency key 'nightly' was used for a different request, run 8f1c…: use a new one.",
                "key_reused",
            ),
        ),
        429: ProblemExample(
            "Too many requests.",
            _answer_to(exceptions.Throttled(42)),
            _header("Retry-After", "integer", "Seconds until the next request is allowed."),
        ),
        500: ProblemExample(
            "The run has failed; error has the reason.",
            problems.body(
                f"{narrow.title}: failed",
                "run_failed",
                error="IntegrityError: FOREIGN KEY constraint failed",
            ),
        ),
        503: ProblemExample(
            "The database, the queue or the mail server can't be reached.",
            problems.body("The queue can't be reached.", "queue_unreachable"),
        ),
    }


def _answer_to(error: exceptions.APIException) -> Facts:
    return problems.complete({"detail": str(error.detail)}, str(error.get_codes()))


def _header(name: str, kind: str, meaning: str) -> Facts:
    return {name: {"schema": {"type": kind}, "description": meaning}}
