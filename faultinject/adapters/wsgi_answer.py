"""WSGI: how an injected answer leaves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultinject.adapters.wsgi import Environ, Start
    from faultinject.core.actions import Headers, Respond
    from faultinject.core.request import WSGIRequest


def respond(
    environ: Environ,
    start_response: Start,
    request: WSGIRequest,
    action: Respond,
    headers: Headers,
    *,
    unread: bool,
    broken: bool = False,
) -> Iterable[bytes]:
    """Give an injected answer through the server.

    Args:
        environ: of the request.
        start_response: the server's.
        request: the view of the request.
        action: the answer.
        headers: its headers.
        unread: whether something of the request's body is left.
        broken: whether reading it was given up in the middle.
    """
    answer = action.answer
    if unread or answer.closes:
        from faultinject.adapters.wsgi_ending import Ending

        ending = Ending(environ, start_response, request, unread=unread, broken=broken, closes=answer.closes)
        ending.start_response(answer.status_line, headers)
        return ending.behind([action.body] if action.body else [])
    start_response(answer.status_line, headers)
    return [action.body] if action.body else []
