"""`faultinject preview`: the answer that a rule sends, byte for byte."""

from __future__ import annotations

import os
import sys
from io import BytesIO

import click

from faultinject.cli.descriptions import effects_on_request
from faultinject.cli.layout import refuse
from faultinject.engine.answers import Respond, answer_keys
from faultinject.engine.shown import shown_target
from faultinject.exceptions import ConfigurationError
from faultinject.injector import trials
from faultinject.rules.files import read_bytes, read_within
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import visible
from faultinject.rules.variables import value_of

LARGEST_BODY = 64 << 20
"""The most bytes of a request's body."""


def preview(
    *,
    rules: tuple[str, ...],
    more: tuple[str, ...],
    method: str | None,
    path: str,
    host: str,
    body: str | None,
    seed: str | None,
) -> int:
    """Write the answer, and return 0."""
    shown = one_rule("\n".join(rules + more))
    method = method or trials.default_method(shown)
    sent = b"" if body is None else body_of(body)
    request = trials.environ_of(method, path if path[:1] == "/" else f"/{path}", host, sent)
    seed = seed if seed is not None else value_of(os.environ, "FAULTINJECT_SEED") or "0"
    trial, action, matches = trials.preview_rule(shown, request, seed)
    if action is None:
        raise ConfigurationError(f"a {visible(method)} request never gets a fault")
    if not matches:
        request_line = f"{visible(method)} {visible(shown_target(path))}"
        _tell(f"{request_line} does not meet the rule's conditions; its fault is shown anyway")
    if not isinstance(action, Respond):
        _tell(f"the request gets {effects_on_request(shown)}")
        return 0
    if action.listing is not None:
        action.listing.feed(sent)
        if not answer_keys(action):
            _tell("the request's body names no keys: the error is for the request as a whole")
    written, notes = trials.sent_body(action, method, shown)
    for note in notes:
        _tell(note)
    if sys.stdout is not None:  # it is None after `>&-`
        sys.stdout.buffer.write(trials.head_of(action, trial.injector.clock()) + written)
        sys.stdout.buffer.flush()
    return 0


def _tell(note: str) -> None:
    click.echo(f"faultinject: {note}", err=True)


def body_of(path: str) -> bytes:
    """The bytes of a file; `-` is the standard input.

    Raises:
        OSError: the file cannot be read, or is larger than `LARGEST_BODY`.
    """
    if path == "-":
        return read_within(getattr(sys.stdin, "buffer", BytesIO()), LARGEST_BODY, "the standard input")
    return read_bytes(path, LARGEST_BODY)


def one_rule(text: str) -> Rule:
    """The only rule of a text.

    Raises:
        ConfigurationError: the rule is wrong.
        UsageError: there are none or several.
    """
    rules = Scenario.parse(text).rules
    refuse({f"preview shows one rule, and {len(rules) or 'none'} were given": len(rules) != 1})
    return rules[0]
