"""Words for numbers, and advice that several checks give."""

from __future__ import annotations

from collections.abc import Sequence

from faultinject.audit.waits import Group, Turnaround
from faultinject.rules.descriptions import counted as counted


class Setting(str):
    """Advice on the client or the machine, which can be followed in a plan too."""

    __slots__ = ()


NAME_THEM = "To decide, wrap each call in `with faults.call()`, or run `faultinject conformance`."
"""The advice that decides which requests belong together."""
OTHER_IDS = "the SDK, which repeats none: a layer above it retries them, or the caller asks again"
"""The end of a message on requests that came again under another id."""
DRIVE_IT = "To decide, run `faultinject conformance`, whose calls are known."
REWIND = "Send the whole body from its beginning with every attempt."
SEND_KEY = (
    "Send an Idempotency-Key if the service knows it, or look for the effect of the first request"
    " before you retry."
)
SEND_PRECONDITION = (
    "Send a precondition with such a request if the service has one, and remove what a repeat has left"
    " behind: SDKs repeat a lost CreateMultipartUpload by themselves, and the first upload stays open"
    " until a lifecycle rule of the bucket removes it."
)
READ_BODY = "Look for an error in the body of a 200 before you report success."
"""Advice on retries that change the data, and on errors that are taken for success."""
WHOLE_PLAN = (
    "Leave out `--phase`, make every kind of call, raise `--deadline` if calls had not ended, and use an"
    " idle machine; if all that was so, the plan does not decide it for this client."
)
"""The advice if a plan made the calls, and they were too few or too close together."""
NO_BREAKER = Setting(
    "Repeat it with the client's circuit breaker off, or with one that opens after more failures."
)
"""The advice if an open circuit breaker may have ended calls before a retry."""
FEWER = "Run fewer calls at once."
IDLE = Setting("Repeat it on an idle machine.")
REAL_TIME = Setting("Leave out `--speed`.")
MORE_FAILURES = "Let more calls fail, for example http:503."
NONE_DOCUMENTED = "documents no error in an answer of 200"
"""The end of a message on a service; a report always has it, although nothing was seen."""
NO_OUTAGE = "Not enough data: no outage of 100 calls by one client"
CAUSE_OUTAGE = "Run `faultinject conformance`, which causes an outage."
"""Advice if there is too little to judge."""


def in_real_time(turnaround: Turnaround, how: str) -> str:
    """The advice if waits are too short; with `--speed` it is to lower the speed."""
    return how if turnaround.exact else Setting("Leave out `--speed`, or give less.")


def against_noise(turnaround: Turnaround, otherwise: str = IDLE) -> str:
    """The advice if the machine's noise hides the answer: measure it, then reduce it.

    A driver makes the requests that measure it by itself. If its calls began late, these requests were not alone, so
    more of them would not help.
    """
    measure = "Add 20 successful requests one after the other, which show how fast the client is."
    return in_real_time(turnaround, measure if turnaround.unmeasured else otherwise)


def without_doubt(groups: Sequence[Group], otherwise: str = IDLE) -> str:
    """The advice if waits are too short to be distinguished from none."""
    turnaround = groups[0].turnaround
    # Here the client's other requests make most of the doubt.
    crowded = any(group.work > turnaround.noise for group in groups)
    return FEWER if crowded else against_noise(turnaround, otherwise)


def seconds(number: float) -> str:
    """A time as people read it.

    >>> [seconds(number) for number in (0.0003, 0.025, 0.5, 2.9, 12.34, 120)]
    ['0.3 ms', '25 ms', '0.50 s', '2.90 s', '12.3 s', '120 s']
    """
    if number < 0.0995:
        return f"{number * 1000:.1f} ms" if number < 0.00995 else f"{number * 1000:.0f} ms"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f} s"


def plain(number: float) -> str:
    """A number without zeros at its end.

    >>> plain(3.0), plain(0.25)
    ('3', '0.25')
    """
    return f"{number:.2f}".rstrip("0").rstrip(".")


def ordinal(number: int) -> str:
    """`first`, `third`, `11th`.

    >>> [ordinal(number) for number in (1, 3, 5, 6)]
    ['first', 'third', 'fifth', '6th']
    """
    return {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(number, f"{number}th")


def percent(share: float) -> str:
    """A share as people read it.

    >>> percent(1.0), percent(0.504), percent(0.001)
    ('100 %', '50 %', '0.1 %')
    """
    return f"{100 * share:.{1 if share < 0.02 else 0}f} %"


def few(seen: int, needed: int, what: str) -> str:
    """The sample size seen and needed.

    >>> few(19, 20, "first wait")
    'Not enough data: 19 of 20 first waits'
    """
    return f"Not enough data: {seen} of {counted(needed, what)}"
