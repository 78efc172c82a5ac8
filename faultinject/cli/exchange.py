"""One request made up for a question, sent through the real WSGI middleware in this process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from faultinject.adapters.wsgi import wrap
from faultinject.core.outcome import Outcome
from faultinject.core.request import WSGIRequest
from faultinject.core.rule import Rule
from faultinject.exceptions import InjectionFailed
from faultinject.injector import Injector
from faultinject.settings.scenario import Scenario

# What of the environment shapes an answer; whether faults are on does not matter to a question.
SHAPING = ("FAULTINJECT_HEADER", "FAULTINJECT_ENDPOINT")
SAFE = "/!$&'()*+,;=:@~%"


class Answer:
    """What came back, as the server is told it.

    Attributes:
        status: status code and reason phrase, `503 Service Unavailable`.
        headers: in order.
        pieces: the body as it came.
    """

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []

    def start(
        self, status: str, headers: list[tuple[str, str]], _error: object = None
    ) -> Callable[[bytes], None]:
        """Stands in for the server's `start_response`."""
        self.status = status
        self.headers = headers
        return self.pieces.append

    @property
    def body(self) -> bytes:
        """The bytes, empty for HEAD."""
        return b"".join(self.pieces)

    def to_bytes(self) -> bytes:
        """Status line, headers, an empty line, body."""
        lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace") + self.body


def environ(method: str, target: str, host: str) -> dict[str, Any]:
    """The environ of a request without a body.

    Args:
        method: the method.
        target: path and query; characters that cannot stand in a request line are encoded.
        host: the Host header, perhaps with a port.
    """
    path, mark, query = target.partition("?")
    raw = quote(path.encode("utf-8", "surrogateescape"), safe=SAFE)
    query = quote(query.encode("utf-8", "surrogateescape"), safe=SAFE + "?")
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": raw + mark + query,
        "REQUEST_URI": raw + mark + query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": True,
    }


def request_of(request: dict[str, Any]) -> WSGIRequest:
    """The view that rules have of an environ."""
    return WSGIRequest(request)


class Trial:
    """Rules tried out in this process, whatever the environment says of on and off; waits take no time.

    Args:
        rules: the rules.
        seed: the seed.
    """

    def __init__(self, rules: Iterable[Rule], seed: str) -> None:
        shaping = {name: os.environ[name] for name in SHAPING if name in os.environ}
        at_once = [changed(each, delay="0s") if "delay" in each.options else each for each in rules]
        self.injector = Injector(Scenario(at_once), seed=seed, environ=shaping, everything=True)
        self._last: list[Outcome] = []
        self.injector.journal.follow(self._note)

    def ask(self, request: dict[str, Any]) -> tuple[Answer, Outcome]:
        """Send a request; the app below answers 200 and nothing.

        Raises:
            InjectionFailed: an error inside faultinject, which is logged.
        """
        answer = Answer()
        result = wrap(_empty, self.injector)({**request, "wsgi.input": io.BytesIO()}, answer.start)
        answer.pieces += result
        if self.injector.errors:
            raise InjectionFailed(
                "an error inside faultinject let the request pass"
            ) from self.injector.errors[0]
        return answer, self._last[0]

    def _note(self, outcome: Outcome) -> None:
        self._last = [outcome]


def changed(rule: Rule, **options: str | None) -> Rule:
    """The same rule with other triggers and effects; None takes one away."""
    kept = {key: text for key, text in {**rule.options, **options}.items() if text is not None}
    return Rule.of_parts(rule.fault, (rule.name, dict(rule.conditions), dict(rule.unless), kept))


def unconditional(rule: Rule) -> Rule:
    """The same rule for every request."""
    return Rule.of_parts(rule.fault, (rule.name, {}, {}, dict(rule.options)))


def _empty(_environ: dict[str, Any], start: Callable[..., object]) -> list[bytes]:
    start("200 OK", [("Content-Length", "0")])
    return []
