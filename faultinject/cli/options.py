"""Options of several commands, and their allowed values.

Help must not import the other packages, so their values are repeated here; tests compare them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., int])

SLOWEST, FASTEST = 5, 50
"""The smallest and the largest `--speed`.

Below 5, a client's jitter looks like a wait that did not become shorter; above 50, a client's own work, which does not
become shorter, takes longer than most waits.
"""
MOST_CONNECTIONS = 1024
"""The default of `faultinject.server.bounds`."""

RULES = click.option(
    "-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule; may be given again."
)
MORE_RULES = click.option(
    "-r", "--rule", "more", multiple=True, metavar="RULE", help="The same as RULE; may be given again."
)
"""The option of a command that also takes rules as arguments, which come first."""

SERVING = (
    RULES,
    click.option("--file", metavar="FILE", help="Rules of a TOML file; they come before those of -r."),
    click.option(
        "--seed", help="The seed.  [default: the file's, else $FAULTINJECT_SEED, else one is chosen]"
    ),
    click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on."),
    click.option(
        "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
    ),
    click.option(
        "--journal",
        metavar="FILE",
        help="Append every request to this file.  [default: $FAULTINJECT_JOURNAL]",
    ),
    click.option(
        "--control",
        metavar="PLACE",
        help="Offer the control API and its page at this path (/_faultinject) or address (127.0.0.1:8765)."
        "  [default: $FAULTINJECT_CONTROL]",
    ),
    click.option(
        "--tls", is_flag=True, help="Speak TLS, with a self-signed certificate; its path is printed."
    ),
    click.option(
        "--max-connections",
        default=MOST_CONNECTIONS,
        show_default=True,
        type=click.IntRange(1),
        help="The most open connections at a time; fewer if `ulimit -n` is small. A further one ends the one"
        " whose client has been silent for longest.",
    ),
)
"""The options of every command that serves."""


def serving_options(function: F) -> F:
    """Add the options of a command that serves."""
    for option in reversed(SERVING):
        function = option(function)
    return function


# Allowed values that other packages define; `pytest --update-golden tests/cli/test_cli_outputs.py` writes them, to the
# end of this file.
CHOICES = {
    "conformance --phase": (
        "cal",
        "throttled",
        "throttled-read",
        "server-error",
        "one",
        "one-read",
        "one-post",
        "reset",
        "denied",
        "not-found",
        "bad",
        "too-many-requests",
        "retry-after",
        "retry-after-date",
        "x-amz-retry-after",
        "x-ms-retry-after-ms",
        "retry-after-ms",
        "junk",
        "lost",
        "error-in-200",
        "slow",
        "replaced",
        "out",
    ),
    "convert --from": (
        "wiremock",
        "toxiproxy",
    ),
    "convert --to": (
        "envoy",
        "istio",
    ),
    "learn --format": (
        "cloudfront",
        "s3",
        "oss",
        "cos",
        "nginx",
    ),
    "report --format": (
        "text",
        "html",
        "json",
        "junit",
        "markdown",
        "sarif",
        "github",
    ),
    "trial --format": (
        "text",
        "html",
        "json",
        "junit",
        "markdown",
        "sarif",
        "github",
    ),
}
