"""The control API as an ASGI app, and its page."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.routing import Route, Router

from faultinject.control.answers import Answer, Refusal, refusal_of
from faultinject.control.call import Call
from faultinject.control.calls import CALLS, OPENAPI, Entry
from faultinject.control.guard import Guard, read_body, reply
from faultinject.control.openapi import document
from faultinject.exceptions import FaultInjectError
from faultinject.journal import log
from faultinject.rules.values import nearest, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultinject.adapters.types import Receive, Scope, Send
    from faultinject.control.access import Access
    from faultinject.injector.injector import Injector

PAGE = Path(__file__).parent / "page"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
MOST_AT_ONCE = 4
"""Calls that are carried out at the same time; further ones wait. The threads of the app's own calls are others."""


def make_app(injector: Injector, access: Access) -> Guard:
    """The control API of an injector.

    Args:
        injector: what is looked at and changed.
        access: who may ask.
    """
    injector.let_watch()
    threads = CapacityLimiter(MOST_AT_ONCE)
    paths: dict[str, dict[str, Entry]] = {}
    for entry in CALLS:
        paths.setdefault(entry.path, {})[entry.method] = entry
    paths[OPENAPI] = {"GET": Entry("GET", OPENAPI, _openapi)}
    routes = [Route(path, Resource(injector, access, found, threads)) for path, found in paths.items()]
    page = _pages()
    routes += [Route(path, Page(answer)) for path, answer in page.items()]
    known = [each.path for each in routes]

    # A router alone: `Starlette` is a class that `run` and the marker put faults around.
    router = Router(routes, redirect_slashes=False, default=Nothing(known))
    return Guard(router, access, page.__contains__)


class Resource:
    """One path: what each method does.

    Args:
        injector: the injector.
        access: who may ask.
        entries: what it does, by method.
        threads: limits how many calls are carried out at once.
    """

    def __init__(
        self, injector: Injector, access: Access, entries: Mapping[str, Entry], threads: CapacityLimiter
    ) -> None:
        self._injector = injector
        self._access = access
        self._entries = entries
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        entry = self._entries.get("GET" if request.method == "HEAD" else request.method)
        try:
            if entry is None:
                raise not_allowed(request.method, self._entries)
            check_parameters(request, entry.query)
            call = Call(
                self._injector,
                self._access,
                client="" if request.client is None else request.client.host,
                name=request.path_params.get("name", ""),
                query=request.query_params,
                headers=request.headers,
                body=b"" if entry.method == "GET" else await read_body(receive, request.headers),
                mount=scope.get("root_path") or "",
            )
            answer = await anyio.to_thread.run_sync(entry.does, call, limiter=self._threads)
        except FaultInjectError as error:
            answer = refusal_of(error).answer
        except Exception as error:
            log.beside_failed(error)
            answer = Refusal(500, "faultinject itself failed: the server's log says where").answer
        await reply(scope, send, answer)


class Page:
    """A file of the page, which needs no token."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer a request."""
        ours = scope["method"] in ("GET", "HEAD")
        await reply(scope, send, self._answer if ours else not_allowed(scope["method"], ("GET",)).answer)


class Nothing:
    """Every other path."""

    def __init__(self, known: list[str]) -> None:
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer a request."""
        path = scope["path"].removeprefix(scope.get("root_path") or "")
        near = nearest(path, self._known) or f"; there are {', '.join(self._known)}"
        await reply(
            scope, send, Refusal(404, f"{visible(path)[:200]} is no path of the control API{near}").answer
        )


def check_parameters(request: Request, known: tuple[str, ...]) -> None:
    """Refuse what is misspelled: it would be another question.

    Raises:
        Refusal: with 400.
    """
    for name in request.query_params:
        if name not in known:
            hint = nearest(name, known) if known else "; this call takes none"
            raise Refusal(400, f"{visible(name)[:200]} is not a parameter of this call{hint}")


def not_allowed(method: str, allowed: Mapping[str, object] | tuple[str, ...]) -> Refusal:
    """The refusal of a method that a path does not have."""
    known = sorted({*allowed, *(("HEAD",) if "GET" in allowed else ())})
    names = ", ".join(known)
    return Refusal(
        405, f"{visible(method)[:50]} does nothing here; there are {names}", headers={"Allow": names}
    )


def _openapi(call: Call) -> Answer:
    """Show the OpenAPI document."""
    return Answer.of_data(document(call.mount))


def _pages() -> dict[str, Answer]:
    """The files of the page by their paths; what is not there when the app is made is never asked for."""
    found = {}
    for file in sorted(each for each in PAGE.iterdir() if each.suffix in KINDS):
        path = "/" if file.name == "index.html" else f"/static/{file.name}"
        found[path] = Answer(file.read_bytes(), content_type=KINDS[file.suffix])
    return found
