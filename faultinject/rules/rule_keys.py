"""The keys of a rule for type checkers.

`python tests/rules/test_rule_keys.py` makes this file from the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, TypedDict

Values = str | int | list[str] | list[int] | list[str | int] | tuple[str | int, ...]
"""One value of a condition, or any of several."""


class Conditions(TypedDict, total=False):
    """The conditions that a request must meet; of several values any."""

    method: Values
    path: Values
    host: Values
    header: Mapping[str, Values]
    query: Mapping[str, Values]
    operation: Values
    bucket: Values
    key: Values
    client: Values
    size: Values
    sample: Values


class RuleKeys(Conditions, total=False):
    """Conditions, triggers and effects for `Rule`, `inject()`, `Faults.add` and the marker."""

    unless: Conditions
    name: str | None
    vendor: str
    probability: float | str
    skip: int | str
    from_: int | str
    every: int | str
    times: int | str
    per: Literal["rule", "call", "key", "bucket", "operation", "client"]
    above: str
    begin: float | str | timedelta
    end: float | str | timedelta
    when: Literal["before", "after"]
    delay: float | str | timedelta
    retry_after: float | str | timedelta
    hint: Literal["seconds", "date", "x-amz-retry-after", "x-ms-retry-after-ms", "retry-after-ms"]
    status: int | str
    message: str
    resource: str
    share: float | str
    content_type: str
    set: Mapping[str, str]
    drop: Mapping[str, str]
    range: Literal["ignore", "shift"]
    drain: bool | str
    cors: bool | str
    duration: float | str | timedelta
    after_bytes: int | str
    of: str | list[str] | tuple[str, ...]
    keep: float | str
    keep_bytes: int | str
    rate: int | str
    flips: int | str
    http2: bool | str
