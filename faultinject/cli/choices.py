"""The names that options of commands take from other rooms, which help must not load.

`pytest --update-golden tests/cli/test_cli_outputs.py` writes them.
"""

from __future__ import annotations

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
