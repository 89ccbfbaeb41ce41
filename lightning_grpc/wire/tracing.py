"""OpenTelemetry: one trace from ``work.run()`` in a Flow through the RPC to the execution in the Work's process.

Off unless the environment variable ``LIGHTNING_GRPC_TRACING`` says otherwise, and then nothing of OpenTelemetry is
imported. It is a variable because every process has to know: an app's Works inherit its environment. Its values:

- ``otel``: spans go where the variables of OpenTelemetry say (``OTEL_TRACES_EXPORTER`` and so on), or to the tracer
  provider that the program has set;
- ``MODULE:FUNCTION``: the function is called once in each process, without arguments, and sets the tracer provider.

The spans of calls are those of the contrib instrumentation. Its interceptors are put into the channels and servers of
this package only: nothing is patched. Streams are not traced: they last as long as the app.

A trace passes three borders where Python's context does not follow by itself: the queue from the Flow's thread to the
coordinator's loop, the metadata of the RPC, and the queue to the main thread of the Work. It travels as a `Carrier`.

Source: W3C Trace Context; OpenTelemetry, general SDK configuration.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lightning_grpc.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import Span

VARIABLE = "LIGHTNING_GRPC_TRACING"
"""The environment variable that switches tracing on."""
TRACED = frozenset(
    f"/lightning_grpc.v1.{method}"
    for method in (
        "WorkService/Run",
        "WorkService/Update",
        "WorkService/Stop",
        "AppService/RunCommand",
        "AppService/UpdateState",
        "AppService/StopApp",
    )
)
"""The calls that have spans: those that have something done."""
FLUSH_S = 1.0
"""How long an ending process waits for its last spans to be on their way."""

Carrier = Mapping[str, str]
"""The trace that something belongs to, as headers; empty if it belongs to none."""

_OFF = ("", "0", "off")
_OTLP = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_prepared: _Tracing | str | None = "not yet"


class _Tracing:
    """What is needed of OpenTelemetry, once it is known to be there."""

    def __init__(self, how: str) -> None:
        from opentelemetry import context, propagate, trace
        from opentelemetry.instrumentation import grpc as instrumentation

        if ":" in how:
            _call(how)
        elif how != "otel":
            raise ConfigurationError(f"{VARIABLE} is {how!r}; it is 'otel', MODULE:FUNCTION, or not set")
        elif type(trace.get_tracer_provider()) is trace.ProxyTracerProvider:  # nobody has set one
            trace.set_tracer_provider(_provider_of_environment())
        self._context, self._propagate, self._trace = context, propagate, trace
        self.tracer = trace.get_tracer("lightning_grpc")
        self.instrumentation: Any = instrumentation

    def carrier(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._propagate.inject(headers)
        return headers

    @contextlib.contextmanager
    def continuing(self, carrier: Carrier) -> Iterator[None]:
        token = self._context.attach(self._propagate.extract(carrier))
        try:
            yield
        finally:
            self._context.detach(token)

    def called(self, work: str, call_id: str, call_hash: str) -> dict[str, str]:
        kind = self._trace.SpanKind.PRODUCER
        with self.tracer.start_as_current_span(f"call {work}", kind=kind, attributes=_about(work, call_id, call_hash)):
            return self.carrier()

    @contextlib.contextmanager
    def executing(self, work: str, call_id: str, call_hash: str, carrier: Carrier) -> Iterator[Execution]:
        attributes = _about(work, call_id, call_hash)
        kind = self._trace.SpanKind.CONSUMER
        with (
            self.continuing(carrier),
            self.tracer.start_as_current_span(f"run {work}", kind=kind, attributes=attributes) as span,
        ):
            yield Execution(span)


class Execution:
    """One execution of a Work's ``run``, in a span if tracing is on."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    def ended(self, status: Mapping[str, Any]) -> None:
        """Note how it has ended; `status` is the last of its entry in ``calls``."""
        if self._span is None:
            return
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("lightning_grpc.stage", status["stage"])
        if status["stage"] == "failed":
            *_, line = str(status.get("message", "")).strip().splitlines() or [""]
            self._span.set_attribute("error.type", status.get("exception") or status.get("reason") or "failed")
            self._span.set_status(Status(StatusCode.ERROR, line))


_NOT_TRACED = Execution()


def prepare() -> bool:
    """Switch tracing on in this process, if it shall be; returns whether it is.

    Raises:
        ConfigurationError: The variable says something else, or what it needs is not installed.
    """
    global _prepared  # noqa: PLW0603 - one per process, as OpenTelemetry's own provider is
    if isinstance(_prepared, str):
        how = os.environ.get(VARIABLE, "")
        try:
            _prepared = None if how in _OFF else _Tracing(how)
        except ImportError as error:
            raise ConfigurationError(
                f"{VARIABLE} is {how!r}, and what that needs is not there ({error}): pip install 'lightning-grpc[otel]'"
            ) from error
    return _prepared is not None


def client_interceptors() -> list[Any]:
    """Return what a channel needs, so that its calls have spans."""
    tracing = _tracing()
    if tracing is None or tracing.instrumentation.GrpcAioInstrumentorClient().is_instrumented_by_opentelemetry:
        return []
    first, *_ = tracing.instrumentation.aio_client_interceptors(filter_=_is_traced)  # the one for unary calls
    return [first]


def server_interceptors() -> list[Any]:
    """Return what a server needs, so that the calls it answers have spans."""
    tracing = _tracing()
    if tracing is None or tracing.instrumentation.GrpcAioInstrumentorServer().is_instrumented_by_opentelemetry:
        return []
    return [tracing.instrumentation.aio_server_interceptor(filter_=_is_traced)]


def called(work: str, call_id: str, call_hash: str) -> Carrier:
    """Note that a Flow, on this thread, has called a Work's ``run``; returns the trace that the call belongs to."""
    tracing = _tracing()
    return tracing.called(work, call_id, call_hash) if tracing is not None else {}


def carrier() -> Carrier:
    """Return the trace that the running code belongs to."""
    tracing = _tracing()
    return tracing.carrier() if tracing is not None else {}


def continuing(carrier: Carrier) -> contextlib.AbstractContextManager[None]:
    """Have the code inside belong to a trace; with an empty carrier it belongs to whichever it did before."""
    tracing = _tracing()
    return tracing.continuing(carrier) if tracing is not None and carrier else contextlib.nullcontext()


def executing(
    work: str, call_id: str, call_hash: str, carrier: Carrier
) -> contextlib.AbstractContextManager[Execution]:
    """Have the code inside be an execution of a Work's ``run``, as part of a trace."""
    tracing = _tracing()
    if tracing is None:
        return contextlib.nullcontext(_NOT_TRACED)
    return tracing.executing(work, call_id, call_hash, carrier)


def flush() -> None:
    """Send what was noted so far, for a process that is about to end; waits a second at most."""
    if _tracing() is None:
        return
    from opentelemetry import trace

    send = getattr(trace.get_tracer_provider(), "force_flush", None)
    if send is not None:
        send(int(FLUSH_S * 1000))


def _tracing() -> _Tracing | None:
    if isinstance(_prepared, str):
        prepare()
    assert not isinstance(_prepared, str)
    return _prepared


def _about(work: str, call_id: str, call_hash: str) -> dict[str, str]:
    return {"lightning_grpc.work": work, "lightning_grpc.call_id": call_id, "lightning_grpc.call_hash": call_hash}


def _is_traced(details: Any) -> bool:
    method = details.method
    return (method.decode() if isinstance(method, bytes) else method) in TRACED


def _call(place: str) -> None:
    module, _, function = place.partition(":")
    try:
        act = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{VARIABLE} is {place!r}, which cannot be imported: {error}") from error
    act()


def _provider_of_environment() -> Any:
    from importlib.metadata import entry_points

    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = os.environ.get("OTEL_SERVICE_NAME", "lightning_grpc")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: named}))  # the sampler too is the environment's
    for name in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
        if name == "none":
            continue
        kind = _OTLP.get(os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), name) if name == "otlp" else name
        found = list(entry_points(group="opentelemetry_traces_exporter", name=kind))
        if not found:
            raise ConfigurationError(
                f"OTEL_TRACES_EXPORTER asks for {name!r}, and no package that is installed has the exporter {kind!r}: "
                "pip install opentelemetry-exporter-otlp, or set OTEL_TRACES_EXPORTER to console"
            )
        provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
    return provider
