"""A service's answer against the documented one: status, code, envelope, headers."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from faultinject.engine.actions import Respond
from faultinject.engine.journal_entry import quoted
from faultinject.engine.request import WSGIRequest
from faultinject.fidelity.exchange import Answer, Exchange
from faultinject.fidelity.probes import Probe
from faultinject.injector.injector import Injector
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.vendor import Vendor

ASPECTS = ("status", "code", "envelope", "content type", "header")
"""In which an answer can differ from the documented one."""
LONGEST = 120
"""Characters of a value that a difference shows."""
OF_HTTP = frozenset(
    (
        "cache-control", "connection", "content-length", "content-type", "date", "expires", "pragma", "server",
        "transfer-encoding", "vary", "x-faultinject",
    )
)  # fmt: skip
"""Headers that say nothing of the service's dialect, or whose value is compared by itself."""
BYTE_ORDER = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Difference:
    """One respect in which an answer is not as documented.

    Attributes:
        aspect: one of `ASPECTS`.
        documented: what the catalogue has.
        seen: what the service sent.
    """

    aspect: str
    documented: str
    seen: str


@dataclass(frozen=True, slots=True)
class Documented:
    """A documented answer to a request.

    Attributes:
        status: the status.
        headers: names and values.
        body: the bytes.
        code: the error's code; None where no document names one.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    code: str | None


def rows_of(vendor: Vendor, probe: Probe[Any]) -> list[DocumentedError]:
    """The rows by which the vendor's document may answer a probe; those that it has, with a status."""
    known = {each.label: each for each in vendor.errors}
    found = [known[label] for label in probe.labels if label in known]
    return [each for each in found if each.status is not None]


def compare(
    probe: Probe[Any], rows: Sequence[DocumentedError], sent: Exchange
) -> tuple[DocumentedError | None, list[Difference]]:
    """The row that an answer comes nearest to, and where it differs from it.

    Args:
        probe: what was asked.
        rows: of `rows_of`; none where the protocol alone says what is right.
        sent: the request and its answer.
    """
    if not rows:
        assert probe.status is not None
        return None, [*_differences(Documented(probe.status, (), b"", None), sent)]
    tried = [(row, [*_differences(documented(row, sent), sent)]) for row in rows]
    return min(tried, key=lambda each: _distance(each[1]))


def _distance(found: Sequence[Difference]) -> tuple[bool, bool]:
    """How far an answer is from a row; of equally near ones the first label's counts."""
    aspects = {each.aspect for each in found}
    return "status" in aspects, "code" in aspects


def documented(row: DocumentedError, sent: Exchange) -> Documented:
    """The answer that faultinject itself gives to that request, by that row."""
    injector = Injector(Scenario([Rule(row.address)]), seed="0", environ={}, record_all=True)
    plan = injector.own_plan
    environ = _environ(sent)
    find = plan.environ.get(sent.method, plan.environ_default)
    candidates = None if find is None else find(environ)
    assert candidates is not None
    action = plan.decide(WSGIRequest(environ), candidates)
    plan.services.finish()
    assert isinstance(action, Respond)
    status = int(action.answer.status_line.split(" ", 1)[0])
    return Documented(status, tuple(action.headers), action.body, row.code)


def _environ(sent: Exchange) -> dict[str, Any]:
    path, _, query = sent.target.partition("?")
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in sent.headers
        if name.lower() not in ("content-length", "content-type")
    }
    given = {name.lower(): value for name, value in sent.headers}
    return {
        "REQUEST_METHOD": sent.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": sent.target,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": given.get("content-length", ""),
        "CONTENT_TYPE": given.get("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": True,
        **headers,
    }


def _differences(expected: Documented, sent: Exchange) -> Iterator[Difference]:
    answer = sent.answer
    if answer.status != expected.status:
        yield Difference("status", str(expected.status), str(answer.status))
    if answer.good and expected.status >= 300:
        return  # the request was accepted: of an error there is nothing to compare
    if sent.method != "HEAD" and expected.body:
        yield from _body(expected, answer)
    elif sent.method != "HEAD" and answer.body:
        yield Difference("envelope", "no body", f"{len(answer.body)} bytes")
    there = {name.lower(): value for name, value in answer.headers}
    for name, value in expected.headers:
        if name.lower() in OF_HTTP:
            continue
        if name.lower() not in there:
            yield Difference("header", name, "missing")
        elif value == expected.code and there[name.lower()] != value:
            yield Difference("code", f"{name}: {value}", f"{name}: {_shown(there[name.lower()])}")


def _body(expected: Documented, answer: Answer) -> Iterator[Difference]:
    wanted = next((value for name, value in expected.headers if name.lower() == "content-type"), "")
    seen = answer.header("Content-Type") or ""
    if wanted and _media(wanted) != _media(seen):
        yield Difference("content type", _media(wanted), _shown(_media(seen)) or "missing")
    right, found = tree(expected.body), tree(answer.body)
    if right is None:
        return  # a text has no form that could be compared
    if found is None:
        yield Difference("envelope", _kind(expected.body), "no body" if not answer.body else "not readable")
    place = place_of(right, expected.code)
    code = value_at(found, place)
    if place and code != expected.code:
        yield Difference("code", str(expected.code), _shown(str(code)) if code is not None else "missing")
    missing = [] if found is None else [*_missing(right, found)]
    if missing:
        yield Difference("envelope", ", ".join(missing), "missing")


def code_in(body: bytes) -> str | None:
    """The code of an error's document, wherever the usual dialects have it."""
    found = tree(body)
    for place in (("Error", "Code"), ("error", "errors", "0", "reason"), ("code",)):
        value = value_at(found, place)
        if isinstance(value, str):
            return _shown(value)
    return None


def message_in(body: bytes) -> str | None:
    """The message of an error's document, likewise."""
    found = tree(body)
    for place in (("Error", "Message"), ("error", "message"), ("message",)):
        value = value_at(found, place)
        if isinstance(value, str):
            return _shown(value)
    return None


def tree(body: bytes) -> Any:
    """A document of XML or JSON as dictionaries and lists; None where it is neither.

    >>> tree(b"<Error><Code>SlowDown</Code></Error>")
    {'Error': {'Code': 'SlowDown'}}
    """
    text = body.removeprefix(BYTE_ORDER).strip()
    if text[:1] == b"<":
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            return None
        try:
            root = ET.fromstring(text)  # noqa: S314 - bounded, and without entities of its own
        except (ET.ParseError, ValueError, LookupError):
            return None
        return {root.tag: _element(root, 0)}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


DEEPEST = 20
"""Levels of a document that are looked at."""


def _element(element: ET.Element, depth: int) -> Any:
    if not len(element) or depth == DEEPEST:
        return (element.text or "").strip()
    return {each.tag: _element(each, depth + 1) for each in element}


def place_of(document: Any, value: str | None, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The way to the first place that has this value; empty where none has."""
    children = (
        document.items()
        if isinstance(document, dict)
        else ((str(number), each) for number, each in enumerate(document))
        if isinstance(document, list)
        else ()
    )
    for name, each in children:
        if each == value and value is not None:
            return (*before, name)
        if found := place_of(each, value, (*before, name)):
            return found
    return ()


def value_at(document: Any, place: Sequence[str]) -> Any:
    """What stands at the end of a way; None where it leads nowhere."""
    for step in place:
        if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict):
            document = document.get(step)
        else:
            return None
    return document


def _missing(right: Any, found: Any, before: str = "") -> Iterator[str]:
    if isinstance(right, dict):
        for name, each in right.items():
            if not isinstance(found, dict) or name not in found:
                yield f"{before}{name}"
            else:
                yield from _missing(each, found[name], f"{before}{name}/")
    elif isinstance(right, list) and right:
        first = found[0] if isinstance(found, list) and found else None
        yield from _missing(right[0], first, before)


def _kind(body: bytes) -> str:
    return "XML" if body.removeprefix(BYTE_ORDER).strip()[:1] == b"<" else "JSON"


def _media(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _shown(text: str) -> str:
    text = quoted(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
