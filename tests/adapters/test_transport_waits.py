"""Waits that nobody listens through: they end all the same when the client's connection does. And heads that are not ours to write."""

from __future__ import annotations

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, Injector

from .transport import PATIENCE, App, Exchange, loopback

LATE = "latency,delay=1h,when=after"


@pytest.mark.parametrize("rule", [LATE, "hang,duration=1h,drain=no"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asgi_wait_for_a_client_that_leaves_its_upload(servers, rule, backend):
    """Neither the app nor the fault reads the rest of the body, behind which the client's leaving would be heard."""
    injector = Injector(rule, environ={})

    async def app(scope, receive, send):
        await App().asgi(scope, receive, send)

    with loopback() as (client, server):
        exchange = Exchange(server, "PUT")

        heard = [{"type": "http.request", "body": b"x", "more_body": True}]

        async def receive(self):
            client.close()
            return heard.pop() if heard else {"type": "http.disconnect"}

        exchange.receive = receive.__get__(exchange)
        if rule is LATE:
            client.close()

        async def scenario():
            scope = servers.scope("PUT", headers=[("Content-Length", "9")])
            with anyio.fail_after(PATIENCE):
                return await exchange.run(ASGIFaultMiddleware(app, injector=injector), scope)

        assert anyio.run(scenario, backend=backend) is None
    assert injector.journal.outcomes[-1].did == ("delayed" if rule is LATE else "closed")


@pytest.mark.parametrize(
    ("rule", "value"),
    [("truncate", "a\r\nset-cookie: b"), ("drip,rate=1KB", "a\nb"), ("truncate", "a\0b")],
)
def test_a_head_that_ends_a_line_early(wire, rule, value):
    """The server is asked to send it, as without us, and may refuse; we never write such a head past it."""
    app = App()
    app.headers.append(("x-note", value))
    seen = wire(Injector(rule, environ={}), app)
    assert "connection" not in seen.headers
    assert seen.body == (b"01234" if rule == "truncate" else b"0123456789")
