"""Faults in traces: events of the current span, and attributes of a client's own span."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from faultinject import ASGIFaultMiddleware, Injector
from faultinject.clients.httpx import FaultTransport
from faultinject.telemetry.opentelemetry import trace
from tests.adapters.conftest import asgi_app

from .conftest import get


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans):
    """Of the real SDK."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider.get_tracer("test")


def make(rules):
    injector = Injector(rules, seed=1, environ={})
    trace(injector)
    return injector


def events(spans):
    return [(each.name, dict(each.attributes)) for span in spans.get_finished_spans() for each in span.events]


def test_an_event_for_each_fault(tracer, spans):
    """With what is known of it; nothing of requests that pass."""
    injector = make("cos:SlowDown,times=1,name=slow http:418,times=1 reset,times=1")
    with tracer.start_as_current_span("GET"):
        assert [get(injector), get(injector)] == [503, 418]
        with pytest.raises(ConnectionResetError):
            get(injector)
        assert get(injector) == 200
    assert events(spans) == [
        (
            "faultinject.injected",
            {
                "faultinject.rule": "slow",
                "faultinject.fault": "cos:SlowDown",
                "faultinject.vendor": "cos",
                "faultinject.code": "SlowDown",
                "http.response.status_code": 503,
            },
        ),
        (
            "faultinject.injected",
            {"faultinject.rule": "rule-2", "faultinject.fault": "http:418", "http.response.status_code": 418},
        ),
        ("faultinject.injected", {"faultinject.rule": "rule-3", "faultinject.fault": "reset"}),
    ]


def test_over_asgi(tracer, spans):
    """The task's own span."""
    wrapped = ASGIFaultMiddleware(asgi_app, injector=make("http:503"))

    async def ask(number):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://h") as client:
            with tracer.start_as_current_span(f"span {number}"):
                await client.get("/")

    async def ask_at_once():
        await asyncio.gather(*map(ask, range(3)))

    asyncio.run(ask_at_once())
    assert [len(each.events) for each in spans.get_finished_spans()] == [1, 1, 1]


def test_a_fault_that_was_not_carried_out(tracer, spans):
    """A second event takes it back."""
    injector = make("http:503,when=after")
    with tracer.start_as_current_span("GET"):
        get(injector, "/broken")
    told = {"faultinject.rule": "rule-1", "faultinject.fault": "http:503", "faultinject.did": "app_failed"}
    name, attributes = events(spans)[-1]
    assert (name, {key: attributes[key] for key in told}) == ("faultinject.not_injected", told)


def test_without_a_span(spans):
    """Nothing is told, and nothing breaks."""
    injector = make("http:503")
    trace(injector)
    get(injector)
    with api.use_span(api.NonRecordingSpan(api.INVALID_SPAN_CONTEXT)):
        get(injector)
    assert (events(spans), injector.counts()["rule-1"].injected) == ([], 2)


@pytest.mark.parametrize(
    ("kind", "count", "hint"),
    [
        (api.SpanKind.CLIENT, 2, {"attempt": 3}),
        (api.SpanKind.CLIENT, 0, {"attempt": 1}),
        (api.SpanKind.CLIENT, None, None),
        (api.SpanKind.CLIENT, -1, None),
        (api.SpanKind.CLIENT, "two", None),
        (api.SpanKind.SERVER, 2, None),
        (api.SpanKind.INTERNAL, 2, None),
    ],
)
def test_what_a_clients_span_says_of_its_attempt(tracer, kind, count, hint):
    """`http.request.resend_count` is an attribute of client spans; the first attempt has none."""
    injector = make("http:503,times=1")
    attributes = {} if count is None else {"http.request.resend_count": count}
    client = httpx.Client(
        transport=FaultTransport(httpx.MockTransport(lambda _: httpx.Response(200)), injector=injector)
    )
    with client, tracer.start_as_current_span("PUT", kind=kind, attributes=attributes):
        statuses = [client.put("http://h/photos/a", content=b"x").status_code for _ in range(2)]
    hints = [each.attempt_hint for each in injector.journal.outcomes]
    assert (statuses, hints) == ([503, 200], [hint, hint])
