"""Answers the requests of the control API, without a server or a framework.

`mount` and `server` hand it requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from urllib.parse import parse_qsl, quote

from faultinject.control.access import Access
from faultinject.control.call import JSON, ControlAnswer, ControlCall, Refusal, refusal_of
from faultinject.control.calls import CALLS, CallFunction, Endpoint
from faultinject.exceptions import FaultInjectError
from faultinject.injector.injector import Injector
from faultinject.journal import log
from faultinject.rules.values import nearest, visible

Response = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""

LARGEST = 1 << 20
"""The most bytes of a request's body."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)
HEADERS = (
    ("cache-control", "no-store"),
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
)
"""The headers of every answer; they keep pages of other origins from reading it."""
PAGE = Path(__file__).parent / "page"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


class ControlApi:
    """Answers the requests of one injector's control API.

    Args:
        injector: the injector that is shown and changed.
        access: decides on the access.

    Attributes:
        injector: the injector that is shown and changed.
        access: decides on the access.
    """

    def __init__(self, injector: Injector, access: Access) -> None:
        self.injector = injector
        self.access = access

    def answer(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Callable[[], bytes],
        *,
        query: str = "",
        client: str | None = None,
        mount: str = "",
    ) -> Response:
        """The answer to a request.

        Args:
            method: the HTTP method.
            path: the path below the mount point, decoded.
            headers: the headers, by lower-case names.
            body: reads the body; if it is too large, at least `LARGEST` + 1 bytes of it. Called only if the client has
                access.
            query: the query of the target.
            client: the address that the server reports.
            mount: the path below which the API is.
        """
        try:
            token_name = self._check(method, path, headers, client)
            endpoint, name = _find("GET" if method == "HEAD" else method, path)
            parameters = dict(parse_qsl(query, keep_blank_values=True))
            check_parameters(parameters, endpoint.query)
            call = ControlCall(
                self.injector,
                self.access,
                client=client or "",
                token_name=token_name,
                name=name,
                query=parameters,
                headers=headers,
                body=b"" if endpoint.method == "GET" else check_body(body(), headers),
                mount=mount,
            )
            answer = endpoint.run(call)
        except FaultInjectError as error:
            answer = refusal_of(error).answer
        except RecursionError:
            answer = Refusal(400, "the body is nested too deeply").answer
        except Exception as error:
            # Background work, or a call of the control API, has failed.
            log.error("faultinject: background work failed, requests go on", cause=error)
            answer = Refusal(500, "faultinject itself failed: the server's log says where").answer
        fields = [("content-type", answer.content_type), ("content-length", str(len(answer.body)))]
        fields += [*answer.headers.items(), *HEADERS]
        return answer.status, fields, b"" if method == "HEAD" else answer.body

    def _check(self, method: str, path: str, headers: Mapping[str, str], client: str | None) -> str:
        """Refuse a client without access, or a body that is too large, by the head alone.

        Returns:
            The name of the client's token; empty if it has none.

        Raises:
            Refusal: the Host, the client, its Origin, its token, or the length is wrong.
        """
        access, site, token_name = self.access, headers.get("sec-fetch-site"), ""
        access.check_host(headers.get("host"))
        access.check_client(client, headers)
        access.check_origin(headers.get("origin"), headers["host"])
        if path not in _pages():
            access.check_site(site)
            token_name = access.check_token(headers.get("authorization"))
        elif not (method == "GET" and headers.get("sec-fetch-mode") == "navigate"):
            # Any site may link to the page, but other sites may not load its files.
            access.check_site(site)
        length = headers.get("content-length") or "0"
        if not (length.isascii() and length.isdecimal()):
            raise Refusal(400, "the Content-Length is no number")
        if len(length) > 18 or int(length) > LARGEST:
            raise too_large_refusal()
        return token_name


def check_body(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Check that a body is whole, and JSON, which pages of other origins cannot send.

    Raises:
        Refusal: it is of another type, too large, or cut.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and (kind or body):
        raise Refusal(415, f"a call with a body has the Content-Type {JSON}")
    if len(body) > LARGEST:
        raise too_large_refusal()
    if not body and "transfer-encoding" in headers:
        raise Refusal(411, "this server needs a Content-Length")
    if len(body) != int(headers.get("content-length") or len(body)):
        raise cut_refusal()
    return body


def cut_refusal() -> Refusal:
    """The refusal of a call whose client left before the end of the body."""
    return Refusal(400, "the body ended before all of it came")


def too_large_refusal() -> Refusal:
    """The refusal of a body that is too large."""
    return Refusal(413, f"a body has at most {LARGEST} bytes")


def check_parameters(names: Iterable[str], known: tuple[str, ...]) -> None:
    """Refuse an unknown parameter, which may be a misspelled one.

    Raises:
        Refusal: with 400.
    """
    for name in names:
        if name not in known:
            hint = nearest(name, known) if known else "; this call takes none"
            raise Refusal(400, f"{visible(name)[:200]} is not a parameter of this call{hint}")


def _redirect_to_page(call: ControlCall) -> ControlAnswer:
    """Redirect to the page's path with a slash, as the page's links are relative."""
    # Exactly one slash at the beginning: with two the Location would name another host.
    place = quote(call.mount.strip("/"), safe="/-._~!$&'()*+,;=:@")
    return ControlAnswer(b"", status=308, content_type="text/plain", headers={"Location": f"/{place}/"})


@cache
def _pages() -> dict[str, CallFunction]:
    """The page and its files by their paths; they need no token."""
    paths: dict[str, CallFunction] = {"": _redirect_to_page}
    for file in sorted(PAGE.iterdir()):
        path = "/" if file.name == "index.html" else f"/static/{file.name}"
        paths[path] = partial(_show, ControlAnswer(file.read_bytes(), content_type=KINDS[file.suffix]))
    return paths


def _show(answer: ControlAnswer, _: ControlCall) -> ControlAnswer:
    return answer


@cache
def _paths() -> dict[str, dict[str, Endpoint]]:
    """The endpoints by path and method."""
    paths: dict[str, dict[str, Endpoint]] = {}
    pages = [Endpoint("GET", path, show) for path, show in _pages().items()]
    for endpoint in (*CALLS, *pages):
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return paths


def _find(method: str, path: str) -> tuple[Endpoint, str]:
    """Find the endpoint of a method and a path, and the name of the rule in the path.

    Raises:
        Refusal: there is no such path, or it has no such method.
    """
    name, parts = "", path.split("/")
    if len(parts) > 2 and parts[1] == "rules" and parts[2]:
        name, parts[2] = parts[2], "{name}"
    entries = _paths().get("/".join(parts))
    if entries is None:
        near = nearest(path, [*_paths()]) or f"; there are {', '.join(filter(None, _paths()))}"
        raise Refusal(404, f"{visible(path)[:200]} is no path of the control API{near}")
    if method not in entries:
        methods = sorted({*entries, *(("HEAD",) if "GET" in entries else ())})
        names = ", ".join(methods)
        message = f"{visible(method)[:50]} does nothing here; there are {names}"
        raise Refusal(405, message, headers={"Allow": names})
    return entries[method], name
