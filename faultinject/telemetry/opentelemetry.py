"""Injected faults in traces of OpenTelemetry; extra `otel`."""

from __future__ import annotations

from faultinject.engine.entry import NOT_INJECTED
from faultinject.exceptions import MissingExtraError
from faultinject.journal.line_fields import RESENT
from faultinject.telemetry.observing import observe

try:
    from opentelemetry.trace import SpanKind, get_current_span
except ImportError:
    raise MissingExtraError('traces need opentelemetry-api: pip install "faultinject[otel]"') from None

from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

from faultinject.engine.entry import Entry
from faultinject.injector.injector import Injector

INJECTED_EVENT = "faultinject.injected"
UNDONE_EVENT = "faultinject.not_injected"


def trace(injector: Injector | None = None) -> None:
    """Add an event to the current span for each injected fault.

    The event `faultinject.injected` has the attributes `faultinject.rule`, `faultinject.fault`, for a documented
    error `faultinject.vendor` and `faultinject.code`, and where there is an answer "http.response.status_code". A
    fault that was not carried out after all gets a second event, `faultinject.not_injected`, with `faultinject.did`.

    The event goes to the span that is current when the fault is decided. The instrumentation must therefore be
    outside of the faults, as it is if OpenTelemetry's middleware is added after `install()`. Without a recording
    span there is no event.

    If the current span is a client's own, as for `FaultTransport` and other clients in the app's own process, its
    attribute "http.request.resend_count" gives the number of the attempt. A server does not see that attribute of a
    client in another process, as `traceparent` carries only ids.

    If faults are not switched on, this does nothing: the call may stay in the app.

    Args:
        injector: the injector; by default the one shared by all apps whose rules come from the environment. Call this
            after `install()`.
    """
    observe(injector, trace, _add_event)


def _add_event(line: Entry) -> None:
    """Add the event of a fault to the current span, and read the attempt of a client's span."""
    span = get_current_span()
    if not span.is_recording():
        return
    retry_number = _retry_number(span)
    if retry_number is not None:
        line.headers = {**line.headers, RESENT: str(retry_number)}
    if line.fault is None:
        return
    injected = line.did not in NOT_INJECTED
    # The first line reports the fault. A later line gets an event only if the fault was not carried out after all.
    if injected is (line.final is None):
        span.add_event(INJECTED_EVENT if injected else UNDONE_EVENT, _attributes(line, injected=injected))


def _attributes(line: Entry, *, injected: bool) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "faultinject.rule": line.rule or "",
        "faultinject.fault": line.fault or "",
    }
    vendor, colon, code = (line.fault or "").partition(":")
    if colon and vendor != "http":
        attributes |= {"faultinject.vendor": vendor, "faultinject.code": code}
    if not injected:
        attributes["faultinject.did"] = line.did
    elif line.status is not None:
        attributes["http.response.status_code"] = line.status
    return attributes


def _retry_number(span: Span) -> int | None:
    """The number of earlier sendings of this request, by the client's own span, or None."""
    if getattr(span, "kind", None) is not SpanKind.CLIENT:
        return None
    # The API can only write attributes; spans of the SDK can also be read.
    number = (getattr(span, "attributes", None) or {}).get(RESENT)
    return number if isinstance(number, int) and number >= 0 else None
