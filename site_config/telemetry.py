"""What the site reports to services outside, each only if its variable is set: errors to Sentry, traces by
OpenTelemetry.

Their packages are not among the site's requirements: docs/howto/sentry-and-opentelemetry.md names them.
Neither gets values of rows, request bodies or addresses of people.
"""

import importlib
from datetime import datetime
from typing import Any

from housekeeping import run_context, signals
from housekeeping.database import discreet
from site_config import env

# What the instrumentation of Django stores about a request that names a page or a person.
ADDRESSES = {
    "http.url", "http.target", "url.full", "url.path", "url.query",
    "net.peer.ip", "net.peer.name", "client.address", "network.peer.address",
}  # fmt: skip
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # OpenTelemetry's own variable


def start(*, sentry_dsn: str, otlp_endpoint: str) -> None:
    """Start what is switched on. For the end of the settings; ends the process if a package is missing."""
    if sentry_dsn:
        _start_sentry(sentry_dsn)
    if otlp_endpoint:
        _start_tracing(otlp_endpoint)


def instrument(*, otlp_endpoint: str) -> None:
    """Trace each request. Before the site's middleware is loaded."""
    if otlp_endpoint:
        django = _package(ENDPOINT, otlp_endpoint, "opentelemetry.instrumentation.django")
        django.DjangoInstrumentor().instrument(response_hook=_without_addresses)


def _without_addresses(span: Any, request: Any, response: Any) -> None:
    """Removes the addresses of the page, which may hold a secret, and of the person. The route is kept."""
    for name in ADDRESSES & (span.attributes or {}).keys():
        span.set_attribute(name, "")


def _package(variable: str, value: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        problem = f"needs a package that is not installed ({error})"
        env.reject(variable, value, problem, "install it, or leave this out")


# --- Errors -----------------------------------------------------------------------------------


def _start_sentry(dsn: str) -> None:
    sentry = _package("SENTRY_DSN", dsn, "sentry_sdk")
    sentry.init(
        dsn=dsn,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=_without_values,
        # Huey is told by this one that a run has failed; the run's own error has been reported already.
        ignore_errors=["housekeeping.queue.tasks.RunFailed"],
    )


def _without_values(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The event with the ids of run and request, and without the values that a database quotes.

    Sentry's SDK has put the errors into words before it asks.
    """
    if error := (hint.get("exc_info") or (None, None))[1]:
        cleaned = {type(one).__name__: str(one) for one in discreet.chain(discreet.clean(error))}
        for one in event.get("exception", {}).get("values", []):
            one["value"] = cleaned.get(one["type"], one["value"])
    from django_guid import get_guid  # it reads the settings when it is imported

    run_id, task = run_context.current()
    ids = {"run_id": run_id, "task": task, "request_id": get_guid()}
    # The address of a page may hold a secret, such as that which verifies an account. The route is kept.
    if request := event.pop("request", None):
        event["request"] = {"method": request.get("method")}
    event["tags"] = {**event.get("tags", {}), **{name: value for name, value in ids.items() if value}}
    return event


# --- Traces -----------------------------------------------------------------------------------


def _start_tracing(endpoint: str) -> None:
    trace = _package(ENDPOINT, endpoint, "opentelemetry.trace")
    sdk = _package(ENDPOINT, endpoint, "opentelemetry.sdk.trace")
    export = _package(ENDPOINT, endpoint, "opentelemetry.sdk.trace.export")
    otlp = _package(ENDPOINT, endpoint, "opentelemetry.exporter.otlp.proto.http.trace_exporter")
    provider = sdk.TracerProvider()  # the name of the service is read from OTEL_SERVICE_NAME
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    signals.run_ended.connect(_trace_run, dispatch_uid="site_config.telemetry", weak=False)


def _trace_run(run: Any, **signal: Any) -> None:
    """A span for a run that has ended. Its batches are in the run's own log."""
    if run.started_at is None:
        return
    from opentelemetry import trace

    facts = {
        "run_id": str(run.pk),
        "task": run.task,
        "cause": run.cause,
        "status": run.status,
        "dry_run": run.dry_run,
        "attempts": run.attempts,
        "rows_deleted": run.purged,
        "waited_ms": round((run.started_at - run.requested_at).total_seconds() * 1000),
    }
    span = trace.get_tracer("housekeeping").start_span(
        f"run {run.task}",
        start_time=_nanoseconds(run.started_at),
        attributes={f"housekeeping.{name}": value for name, value in facts.items()},
    )
    if run.status == "failed":
        # Without its message, which may quote anything.
        span.set_status(trace.StatusCode.ERROR, run.error.partition(":")[0])
    span.end(_nanoseconds(run.finished_at))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)
