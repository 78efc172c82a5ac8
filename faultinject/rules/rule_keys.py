"""The keys of a rule as a type checker reads them, made from the vocabulary by `python tests/rules/test_rule_keys.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, TypedDict

Values = str | int | list[str] | list[int] | list[str | int] | tuple[str | int, ...]
"""One value of a condition, or any of several."""


class Conditions(TypedDict, total=False):
    """What a request must be like; of several values any."""

    method: Values
    """The request's method, any case."""
    path: Values
    """Mount point and path, percent-decoded once; `*` within a segment, `**` any segments, `dir/` all below."""
    host: Values
    """The Host without its port, any case."""
    header: Mapping[str, Values]
    """A header's value; empty means that the header is there."""
    query: Mapping[str, Values]
    """A query parameter's value; empty means that the parameter is there, as in `?uploads`."""
    operation: Values
    """The storage operation as the rule's vendor names it, `PutObject` for every relative of S3."""
    bucket: Values
    """The bucket as the vendor reads it; a request without one does not match."""
    key: Values
    """The object's key as the vendor reads it (S3 reads `x%2Fy` as `x/y`), a pattern like `path`; a request without one does not match."""
    client: Values
    """The client's address, or a network that holds it, as the server reports it."""
    size: Values
    """Content-Length: `5MiB..` at least, `..1KiB` at most, `1KB..2KB` between, `4096` exactly."""
    sample: Values
    """A share of users, tenants or keys, the same ones always or never: an attribute, a colon, and the share."""


class RuleKeys(Conditions, total=False):
    """What `Rule`, `inject()`, `Faults.add` and the marker take: conditions, triggers and effects."""

    unless: Conditions
    """The conditions that keep the rule away."""
    name: str | None
    """The rule's name in logs and answers: a letter or digit, then up to 63 letters, digits, `.`, `_`, `-`."""
    vendor: str
    """The vendor that reads bucket, key and operation for a fault without a storage vendor."""
    probability: float | str
    """The chance per matching attempt, 0 to 1."""
    skip: int | str
    """Skip the first N matching attempts."""
    from_: int | str
    """Fire from the Nth matching attempt on, for good; in Python `from_`."""
    every: int | str
    """Then only every Nth of them: the Nth, the 2Nth and so on."""
    times: int | str
    """At most N injected faults; 0 is never."""
    per: Literal["rule", "call", "key", "bucket", "operation", "client"]
    """The scope in which skip, from, every, times and above count."""
    above: str
    """Only the attempts in excess of a rate, `100/s` or `5/10s`."""
    begin: float | str | timedelta
    """Only from this long after the scenario took effect."""
    end: float | str | timedelta
    """Only until this long after the scenario took effect."""
    when: Literal["before", "after"]
    """`before`: the app never sees the request; `after`: it runs, and its answer is replaced."""
    delay: float | str | timedelta
    """Wait before acting: `200ms`, or `100ms..2s` drawn evenly; at most 1h."""
    retry_after: float | str | timedelta
    """The wait that the answer demands, in the form of `hint`; `Retry-After` has whole seconds, rounded up."""
    hint: Literal["seconds", "date", "x-amz-retry-after", "x-ms-retry-after-ms", "retry-after-ms"]
    """The form of `retry_after`: `seconds`, `date` for an HTTP-date (both rounded up), or a header of milliseconds."""
    status: int | str
    """The status instead of the documented one, 200 to 599."""
    message: str
    """The message instead of the documented one; for `http:NNN` the whole body."""
    resource: str
    """The resource that the envelope names, instead of the request's."""
    share: float | str
    """The share of the keys that fail in a DeleteObjects answered with status 200, 0 to 1."""
    content_type: str
    """The Content-Type of `http:NNN`."""
    set: Mapping[str, str]
    """Add or replace a header of the injected answer; `set.connection=close` makes the server close the connection."""
    drop: Mapping[str, str]
    """Leave a header out of the app's own answer: `drop.content-range`, in TOML and Python with an empty value."""
    range: Literal["ignore", "shift"]
    """What is wrong with the answer to a request for a range."""
    drain: bool | str
    """Read the request's body before answering."""
    cors: bool | str
    """Let a browser's script see the injected answer."""
    exact: bool | str
    """Send the vendor's own reason phrase, header case and order past the server, and close the connection."""
    duration: float | str | timedelta
    """How long `hang` waits before the connection closes, and `stall` before it goes on; at most 1h."""
    after_bytes: int | str
    """The fault comes after that many bytes of a body: with `when=before` of the request's, with `after` of the answer's."""
    of: str
    """The documented error that is cut or slowed, instead of the app's own answer."""
    keep: float | str
    """The share of the body that `truncate` lets through, from 0 to below 1."""
    keep_bytes: int | str
    """The bytes of the body that `truncate` lets through; a body of at most this length passes untouched."""
    rate: int | str
    """How fast `drip` sends the body, bytes a second."""
    flips: int | str
    """How many bytes of the body `corrupt` changes, 1 to 1000; all bytes of a shorter body."""
    http2: bool | str
    """Break a whole HTTP/2 connection, with all its requests; otherwise such requests get no fault."""
