"""The effects: how the fault is given. One class each, here in the canonical order; `faults` says which takes which."""

from __future__ import annotations

from faultinject.rules.effects.acting import Delay, Drain, Duration, Http2, When
from faultinject.rules.effects.answering import (
    ContentType,
    Cors,
    Exact,
    Hint,
    Message,
    Resource,
    RetryAfter,
    Set,
    Share,
    Status,
)
from faultinject.rules.effects.shaping import Flips, Keep, KeepBytes, Of, Rate
from faultinject.rules.key import Effect

EFFECTS: dict[str, Effect] = {
    each.key: each
    for each in (
        When(),
        Delay(),
        RetryAfter(),
        Hint(),
        Status(),
        Message(),
        Resource(),
        Share(),
        ContentType(),
        Set(),
        Drain(),
        Cors(),
        Exact(),
        Duration(),
        Of(),
        Keep(),
        KeepBytes(),
        Rate(),
        Flips(),
        Http2(),
    )
}
