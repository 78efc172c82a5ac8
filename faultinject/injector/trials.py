"""Tries rules on a made-up request, and returns the engine's decision."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from faultinject.engine.actions import Disconnect, Forward, Pass
from faultinject.engine.answers import Respond, at_its_start
from faultinject.engine.filters import Data, Dripped
from faultinject.engine.request import WSGIRequest
from faultinject.exceptions import InjectionFailedError
from faultinject.http.wire import BLANK_EVERY, has_no_body, head, late_start
from faultinject.injector.injector import Injector
from faultinject.rules import descriptions
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import TRIGGERS
from faultinject.vendors.operations import operations_of

# The variables that change an answer; those that switch faults on or off do not matter to a trial.
SHAPING = ("FAULTINJECT_HEADER", "FAULTINJECT_ENDPOINT", "FAULTINJECT_CONTROL", "FAULTINJECT_ON_REQUEST")
SAFE = "/!$&'()*+,;=:@~%"


def environ_of(method: str, target: str, host: str, body: bytes = b"", mount: str = "") -> dict[str, Any]:
    """The environ of a request.

    Args:
        method: the method.
        target: path and query; characters that a request line cannot hold are encoded.
        host: the Host header, perhaps with a port.
        body: its body.
        mount: the path at which the app is mounted, as bytes in Latin-1 text.
    """
    path, mark, query = target.partition("?")
    raw = quote(path.encode("utf-8", "surrogateescape"), safe=SAFE)
    whole = unquote_to_bytes(raw).decode("latin-1")
    query = quote(query.encode("utf-8", "surrogateescape"), safe=SAFE + "?")
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": whole[: len(mount)],
        "PATH_INFO": whole[len(mount) :],
        "QUERY_STRING": query,
        "RAW_URI": raw + mark + query,
        "REQUEST_URI": raw + mark + query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": True,
    }


class Trial:
    """Decides about requests by rules, and carries out no action.

    It does not matter whether faults are on in the environment.

    Args:
        rules: the rules.
        seed: the seed.
        guarded: whether they came over HTTP.
    """

    def __init__(self, rules: Iterable[Rule], seed: str, *, guarded: bool = False) -> None:
        shaping = {name: os.environ[name] for name in SHAPING if name in os.environ}
        self.injector = Injector(Scenario(list(rules)), seed=seed, environ=shaping, record_all=True)
        if guarded:
            self.injector.own_plan.services.guarded = True

    def ask(self, request: dict[str, Any]) -> Respond | Forward | Disconnect | None:
        """Decide about a request: the action, or None if the app answers it.

        Raises:
            InjectionFailedError: an error inside faultinject, which would let the request pass.
        """
        plan = self.injector.own_plan
        message = "an error inside faultinject lets the request pass"
        try:
            find = plan.environ.get(request["REQUEST_METHOD"], plan.environ_default)
            candidates = () if find is None else find(request)
            action = plan.decide(WSGIRequest(request), candidates) if candidates else None
        except Exception as error:
            raise InjectionFailedError(message) from error
        if self.injector.errors:
            raise InjectionFailedError(message) from self.injector.errors[0]
        if action is None or isinstance(action, Pass):
            return None
        plan.services.finish()
        return action


def preview_rule(
    rule: Rule, request: dict[str, Any], seed: str, *, guarded: bool = False
) -> tuple[Trial, Respond | Forward | Disconnect | None, bool]:
    """The action of a rule on a request, as if all its triggers let it fire.

    If the conditions do not hold, it is the action of the rule without them.

    Returns:
        The trial, the action, and whether the conditions hold.
    """
    request = {**request, **operation_headers(rule, request["REQUEST_METHOD"])}
    always = replace_options(rule, **dict.fromkeys(TRIGGERS))
    trial = Trial([always], seed, guarded=guarded)
    action = trial.ask(request)
    if action is not None:
        return trial, action, True
    trial = Trial([unconditional(always)], seed, guarded=guarded)
    return trial, trial.ask(request), False


def default_method(rule: Rule) -> str:
    """The first method that a rule names literally, else GET."""
    methods = (method.upper() for method in rule.conditions.get("method", ()))
    return next((method for method in methods if method.isalpha()), "GET")


def operation_headers(rule: Rule, method: str) -> dict[str, str]:
    """The headers of an environ by which a request has the operation that the rule names.

    >>> operation_headers(Rule("oss:InternalError", operation="CopyObject"), "PUT")
    {'HTTP_X_OSS_COPY_SOURCE': 'x'}
    """
    vendor = rule.vendor
    operations = operations_of(vendor)
    operations_named = operations.recognised_for(rule.conditions.get("operation", ()))
    forms = (
        row for row in operations.rows if row.operation in operations_named and row.method == method.upper()
    )
    words = (word.partition("=") for word in next((row.header for row in forms), ()))
    prefix = vendor.prefix if vendor is not None and vendor.addressing == "s3" else ""
    return {
        f"HTTP_{name if name[:2] == 'x-' else prefix + name}".upper().replace("-", "_"): value or "x"
        for name, _, value in words
    }


def head_of(answer: Respond, now: float) -> bytes:
    """Write status line and headers as faultinject hands them to a server.

    Args:
        answer: the answer that is sent.
        now: unix seconds.
    """
    return head(answer.answer.status_line, at_its_start(answer, now))


def sent_body(action: Respond, method: str, rule: Rule) -> tuple[bytes, list[str]]:
    """The part of an answer's body that is sent, and remarks on it.

    Args:
        action: the answer.
        method: the request's method.
        rule: the answer's rule.
    """
    body, changes = action.body, action.filter
    wait = descriptions.wait(rule) if rule.value("delay")[1] else ""
    if action.answer.error_after_head:
        if not body:
            return body, []
        if not wait:
            return body, ["the answer has no Content-Length: over HTTP/1.1 it is sent in chunks"]
        start = late_start(body)
        every = descriptions.seconds(BLANK_EVERY)
        note = f"the head goes out at once, then blanks for {wait}, one every {every}"
        return body[:start] + b" " + body[start:], [f"{note} (only one is shown here), then the error"]
    notes = [f"sent after {wait}"] if wait else []
    if changes is None:
        return body, notes
    if has_no_body(method, action.answer.status, action.headers) or not changes.fits(len(body)):
        return body, [
            *notes,
            f"a body of {descriptions.count(len(body), 'byte')} has nothing to cut or to slow",
        ]
    body = b"".join(event.data for event in changes.feed(body, more=False) if isinstance(event, Data))
    if changes.cuts:
        notes.append("the connection closes after these bytes")
    if isinstance(changes, Dripped):
        notes.append(f"the body goes out at {descriptions.count(changes.rate, 'byte')} a second")
    return body, notes


def replace_options(rule: Rule, **options: str | None) -> Rule:
    """A rule with other triggers and effects; None takes one away."""
    options_kept = {key: text for key, text in {**rule.options, **options}.items() if text is not None}
    return Rule.of_parts(rule.fault, (rule.name, dict(rule.conditions), dict(rule.unless), options_kept))


def unconditional(rule: Rule) -> Rule:
    """A rule without its conditions."""
    return Rule.of_parts(rule.fault, (rule.name, {}, {}, dict(rule.options)))
