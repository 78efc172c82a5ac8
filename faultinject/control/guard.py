"""What stands in front of the control API: a request that may not be answered gets no further, and no body is read without end."""

from __future__ import annotations

from urllib.parse import quote

import anyio

from faultinject.control.answers import JSON, Answer, Refusal
from faultinject.control.limits import LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Headers

    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.control.access import Access

LARGEST = 1 << 20
"""Bytes of a request's body."""
UNREAD = (408, 413)
"""Answers behind which the rest of a body is not read, so that the connection has to end."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Of every answer. None lets a page of another origin read it."""


class Guard:
    """An ASGI app that lets through what may be asked.

    Args:
        app: what answers.
        access: who may ask.
        is_page: from the path below the mount point to whether it is a file of the page, which needs no token.

    Attributes:
        never_faulted: it is no target of faults, whatever server or test runs it.
    """

    never_faulted = True

    def __init__(self, app: ASGIApp, access: Access, is_page: Callable[[str], bool]) -> None:
        self.app = app
        self._access = access
        self._is_page = is_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        try:
            self.check(scope)
        except Refusal as refusal:
            await reply(scope, guarded, refusal.answer)
            return
        root = scope.get("root_path") or ""
        if root and scope["path"] == root:
            await reply(scope, guarded, _to_page(root))
            return
        await self.app(scope, receive, guarded)

    def check(self, scope: Scope) -> None:
        """Refuse who may not ask, by the head alone.

        Raises:
            Refusal: the Host, the client, its Origin or its token.
        """
        headers: dict[str, str] = {}
        twice = set()
        for raw, value in scope["headers"]:
            name = raw.decode("latin-1").lower()
            if name in headers:
                twice.add(name)
            headers[name] = value.decode("latin-1")
        host = None if "host" in twice else headers.get("host")
        self._access.check_host(host)
        client = scope.get("client")
        self._access.check_client(None if client is None else client[0], headers)
        self._access.check_origin("null" if "origin" in twice else headers.get("origin"), host or "")
        is_page = self._is_page(below(scope))
        # A link to the page may stand anywhere.
        is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if not (is_page and is_link):
            self._access.check_site(headers.get("sec-fetch-site"))
        if not is_page:
            self._access.check_token(None if "authorization" in twice else headers.get("authorization"))


def below(scope: Scope) -> str:
    """The path below the mount point, with its slash."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path") or "") or "/"


def _to_page(root: str) -> Answer:
    """The page's own links are relative, so its path ends with a slash."""
    # One slash alone at its beginning: two would name another host.
    path = quote(root.strip("/"), safe="/-._~!$&'()*+,;=:@")
    return Answer(b"", status=308, content_type="text/plain", headers={"Location": f"/{path}/"})


async def read_body(receive: Receive, headers: Headers) -> bytes:
    """All of a body that is JSON and small enough.

    Raises:
        Refusal: it is of a kind that any page can send unasked, too large, too slow, or cut.
    """
    kinds = headers.getlist("content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != JSON:
        raise Refusal(415, f"a call with a body has the Content-Type {JSON}")
    large = Refusal(413, f"a body has at most {LARGEST} bytes")
    length = headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and (len(length) > 18 or int(length) > LARGEST):
        raise large
    body = b""
    with anyio.move_on_after(LIMITS.patience):
        while True:
            message = await receive()
            body += bytes(message.get("body", b""))
            if len(body) > LARGEST:
                raise large
            if message["type"] == "http.disconnect":
                raise cut()
            if not message.get("more_body"):
                return body
    raise slow()


def slow() -> Refusal:
    """Why a call is not carried out whose body takes too long."""
    return Refusal(408, f"the body did not come within {LIMITS.patience:.0f} s")


def cut() -> Refusal:
    """Why a call is not carried out whose client has left before its end."""
    return Refusal(400, "the body ended before all of it came")


async def reply(scope: Scope, send: Send, answer: Answer) -> None:
    """Send an answer; to HEAD without its body."""
    headers = [
        (b"content-type", answer.content_type.encode("latin-1")),
        (b"content-length", str(len(answer.body)).encode()),
        *(
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
        ),
    ]
    if answer.status in UNREAD and scope.get("http_version") in ("1.0", "1.1"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
