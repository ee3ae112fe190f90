"""The problems that the API can answer with, by their status: why, an example, and their headers."""

from dataclasses import dataclass, field
from functools import cache

from rest_framework import exceptions

from housekeeping.api.rules import problems
from housekeeping.api.rules.parsers import LARGEST, TooLarge
from housekeeping.reading.as_json.fields import Facts


@dataclass(frozen=True)
class ProblemExample:
    why: str
    example: Facts
    headers: Facts = field(default_factory=dict)


@cache
def problem_examples() -> dict[int, ProblemExample]:
    """Made when they are asked for, as DRF translates its sentences."""
    return {
        400: ProblemExample(
            "The request can't be used: fields says why.",
            problems.refused({"task": ["Name a task; choose one of all, stats."]}),
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
                "Delete old conversations: failed",
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
