"""One rule written out as one function: what `cos:SlowDown` costs that counts, draws, renders and notes as we do.

Nothing is asked that this rule does not need: no other condition, no delay, no mount, no query, no limit of faults under
way, no error of our own. It is the least that any middleware with the same answer and the same journal can cost.
"""

from __future__ import annotations

import time
from binascii import b2a_base64, hexlify
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from itertools import count
from typing import Any

_TRACE = b"8efc6b2d3b069ca89454d10b9ef00187"
_LONG = b"0" * 10
_SHAPE = bytes(ord("0") if chr(each) in "0123456789ABCDEFabcdef" else each for each in range(256))

Answer = tuple[bytes, str, str]
Give = Callable[[str, str, str, str, str], Answer]


def rule() -> Give:
    """From method, path, host, Authorization and user agent to body, request id and trace id; the line is noted."""
    identities: OrderedDict[str, Callable[[], int]] = OrderedDict()
    lines: deque[tuple[object, ...]] = deque(maxlen=10_000)
    state = blake2b(b"cos:SlowDown\0", key=blake2b(b"1").digest(), digest_size=32)
    number = count()
    matched = count()

    def give(method: str, path: str, host: str, authorization: str, agent: str) -> Answer:
        arrived, now = time.monotonic(), time.time()
        next(matched)
        bucket, _, key = path[1:].partition("/")
        identity = f"{method} /{bucket}/{key}"
        if _LONG in identity.encode("ascii", "replace").translate(_SHAPE):
            raise NotImplementedError
        try:
            identities.move_to_end(identity)
            n = identities[identity]()
        except KeyError:
            identities[identity] = partial(next, count(1))
            n = 0
        drawn = state.copy()
        drawn.update(f"{identity}\0{n}".encode())
        seq = next(number)
        ids = blake2b(b"%b%d" % (drawn.digest()[24:32], seq)).digest()
        fields = (
            int(now) & 0xFFFFFFFF,
            int.from_bytes(ids[:4], "big") | 0x80000000,
            int.from_bytes(ids[4:6], "big") | 0x8000,
            int.from_bytes(ids[6:9], "big") | 0x800000,
        )
        request_id = b2a_base64(b"%08x_%x_%x_%x" % fields, newline=False).decode()
        trace_id = b2a_base64(_TRACE + hexlify(ids[16:64]), newline=False).decode()
        resource = path
        if not (path.isascii() and path.isprintable()) or "&" in path or "<" in path or ">" in path:
            raise NotImplementedError
        body = (
            "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>SlowDown</Code>\n"
            f"\t<Message>Reduce your request rate</Message>\n\t<Resource>{resource}</Resource>\n"
            f"\t<RequestId>{request_id}</RequestId>\n\t<TraceId>{trace_id}</TraceId>\n</Error>\n\n"
        ).encode()
        access_key = authorization.partition("q-ak=")[2].partition("&")[0]
        lines.append(
            (
                seq, now, arrived, time.monotonic(), method, path, host, access_key, agent, n, request_id,
                len(body), "cos:SlowDown", 503, "answered",
            )
        )  # fmt: skip
        return body, request_id, trace_id

    return give


def around_wsgi(app: Any) -> Any:
    """A WSGI app in whose place the rule answers."""
    give = rule()

    def by_hand(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body, request_id, trace_id = give(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ["HTTP_HOST"],
            environ.get("HTTP_AUTHORIZATION", ""),
            environ.get("HTTP_USER_AGENT", ""),
        )
        start_response(
            "503 Slow Down",
            [
                ("Content-Type", "application/xml"),
                ("Content-Length", str(len(body))),
                ("x-cos-request-id", request_id),
                ("x-cos-trace-id", trace_id),
                ("x-faultinject", "rule-1"),
                ("Cache-Control", "no-store"),
            ],
        )
        return [body]

    vars(by_hand)["app"] = app
    return by_hand


def around_asgi(app: Any) -> Any:
    """An ASGI app in whose place the rule answers."""
    give = rule()

    async def by_hand(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        host = authorization = agent = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"authorization":
                authorization = value
            elif name == b"user-agent":
                agent = value
        body, request_id, trace_id = give(
            scope["method"],
            scope["path"],
            host.decode("latin-1"),
            authorization.decode("latin-1"),
            agent.decode("latin-1"),
        )
        headers = [
            (b"content-type", b"application/xml"),
            (b"content-length", b"%d" % len(body)),
            (b"x-cos-request-id", request_id.encode()),
            (b"x-cos-trace-id", trace_id.encode()),
            (b"x-faultinject", b"rule-1"),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    # FastAPI looks through all the middleware of an app at each request.
    vars(by_hand)["app"] = app
    return by_hand
