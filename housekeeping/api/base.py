"""The base of all views of the API, and the decorator that declares their operations.

The API has rules of its own, regardless of the project's REST_FRAMEWORK. It takes only the authentication
from the project: its DEFAULT_AUTHENTICATION_CLASSES.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import schema
from rest_framework.metadata import SimpleMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import APISettings
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from housekeeping import conf
from housekeeping.api.description.schema import Schema
from housekeeping.api.description.shapes import serializer_of
from housekeeping.api.rules import errors, headers, preconditions
from housekeeping.api.rules.parsers import BoundedJSONParser
from housekeeping.api.rules.permissions import MayView
from housekeeping.api.rules.problems import Problem, SignInTooOld
from housekeeping.api.rules.renderers import PlainJSONRenderer
from housekeeping.api.rules.throttles import OpensRun
from housekeeping.api.serializers import Strict
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.reading.as_json.fields import Facts, Object

Handler = TypeVar("Handler", bound=Callable[..., Response])

# For the rules that DRF reads from settings instead of a view's attributes: ours, otherwise DRF's defaults.
RULES: Any = APISettings(cast(Any, {"EXCEPTION_HANDLER": errors.answer, "URL_FORMAT_OVERRIDE": None}))


METHODS = ("get", "post", "put", "patch", "delete")


class Negotiation(DefaultContentNegotiation):
    settings = RULES


@dataclass(frozen=True)
class Operation:
    """One method of an address: the right that it needs, and the body or query that it reads."""

    right: type[BasePermission]
    asks: type[Strict] | None
    opens_run: bool
    examples: Callable[[], Facts]


def operation(
    summary: str,
    answers: Any,
    *,
    right: type[BasePermission] = MayView,
    query: type[Strict] | None = None,
    body: type[Strict] | None = None,
    opens_run: bool = False,
    also: Sequence[int] = (),
    parameters: Sequence[Any] = (),
    examples: Callable[[], Facts] = dict,
    tag: str = "housekeeping",
) -> Callable[[Handler], Handler]:
    """Declare a method of a :class:`HousekeepingView`: who may use it, and its description.

    :meth:`HousekeepingView.read` reads ``query`` or ``body``. ``opens_run``: the method is throttled.
    ``also``: statuses of problems that do not follow from the other arguments. ``examples`` makes bodies
    by their names, for the description.
    """
    responses = answers if isinstance(answers, dict) else {200: answers}
    responses = {code: _described(answer) for code, answer in responses.items()}
    responses |= {code: serializer_of(Problem) for code in also}
    describe = extend_schema(
        summary=summary,
        request=body,
        responses=responses,
        parameters=[*([query] if query else []), *parameters],
        tags=[tag],
    )

    def declare(handler: Handler) -> Handler:
        if handler.__name__.upper() in preconditions.GUARDED:
            handler = preconditions.checked(handler)
        handler.operation = Operation(right, query or body, opens_run, examples)  # type: ignore[attr-defined]
        # Before extend_schema, which would otherwise extend the project's DEFAULT_SCHEMA_CLASS.
        return describe(schema(Schema())(handler))

    return declare


def _described(answer: Any) -> Any:
    is_object = isinstance(answer, type) and issubclass(answer, Object)
    return serializer_of(answer) if is_object else answer


class HousekeepingView(APIView):
    # No docstring: the description would use it for each view that has none of its own. A subclass has a
    # method, declared by ``operation``, for each HTTP method of its address.

    settings = RULES
    parser_classes = (BoundedJSONParser,)
    renderer_classes: Sequence[type[BaseRenderer]] = (PlainJSONRenderer,)
    content_negotiation_class = Negotiation
    metadata_class = SimpleMetadata
    versioning_class = None
    schema = Schema()

    operations: ClassVar[dict[str, Operation]]
    # The fields of the answer to GET that the other methods change: see rules/preconditions.py.
    changeable: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        declared = {name: getattr(getattr(cls, name, None), "operation", None) for name in METHODS}
        cls.operations = {name.upper(): found for name, found in declared.items() if found}
        cls.http_method_names = [*map(str.lower, cls.operations), "options"]
        if "GET" in cls.operations:
            cls.http_method_names.append("head")  # Django answers it by get()

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Exempt from ATOMIC_REQUESTS: a consumer must see the run while the request waits for its end."""
        return transaction.non_atomic_requests(super().as_view(**initkwargs))

    @property
    def operation(self) -> Operation:
        """The requested operation. An unsupported method needs the right of the view's first one."""
        found = self.operations.get("GET" if self.request.method == "HEAD" else self.request.method or "")
        return found or next(iter(self.operations.values()))

    def get_permissions(self) -> list[BasePermission]:
        return [self.operation.right()]

    def get_throttles(self) -> list[BaseThrottle]:
        opens_run = self.request.method in self.operations and self.operation.opens_run
        return [OpensRun()] if opens_run else []

    def finalize_response(self, request: Request, response: Response, *args: Any, **options: Any) -> Response:
        response = super().finalize_response(request, response, *args, **options)
        headers.mark(request, response)
        if self.changeable and request.method in ("GET", "HEAD") and response.status_code == 200:
            response.add_post_render_callback(partial(preconditions.mark, changeable=self.changeable))
        response.add_post_render_callback(partial(headers.unless_known, request))
        return response

    def read(self) -> dict[str, Any]:
        """The validated body or, for GET and HEAD, the query. Raises ValidationError."""
        assert self.operation.asks is not None
        is_query = self.request.method in ("GET", "HEAD")
        fields = self.operation.asks(data=self.request.query_params.dict() if is_query else self.request.data)
        fields.is_valid(raise_exception=True)
        asked: dict[str, Any] = fields.validated_data
        return asked

    def confirm_sign_in(self) -> None:
        """Before a harmful act. Raises SignInTooOld if HOUSEKEEPING_CONFIRM_SIGN_IN demands a new one."""
        if conf.confirm_sign_in(self.request) is not None:
            raise SignInTooOld

    @property
    def actor(self) -> Actor:
        return acts.visitor(self.request, "API")
