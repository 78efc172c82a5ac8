"""The triggers: the choice of the matching attempts that get the fault.

Each is one row, in the order in which they are tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from faultinject.engine.compiled_rule import SCOPES
from faultinject.rules import values
from faultinject.rules.descriptions import ordinal
from faultinject.rules.key import Key

IN_ALL = "in all"
"""The scope of `per=rule` in words."""


@dataclass(kw_only=True, eq=False, repr=False)
class Trigger(Key):
    """A key that chooses the matching attempts that get the fault.

    Attributes:
        in_words: describes the trigger, from its value, the value as written and the scope of `per` in words.
        counts: whether it counts attempts, in the scope of `per`.
    """

    in_words: Callable[[Any, str, str], str]
    counts: bool = False


def _plain_number(text: str) -> str:
    """A number without an exponent."""
    return values.number_text(float(text)) if "e" in text.lower() else text


def _from_in_words(number: int, _text: str, scope: str) -> str:
    where = "" if scope == IN_ALL else f" {scope}"
    return f"from the {ordinal(number)} of them on{where}, for good"


def _times_in_words(number: int, _text: str, scope: str) -> str:
    often = {1: "once", 2: "twice"}.get(number, f"{number} times")
    return f"at most {often} {scope}" if number else "never (times=0)"


TRIGGERS: dict[str, Trigger] = {
    trigger.key: trigger
    for trigger in (
        Trigger(
            key="probability",
            doc="""The chance per matching attempt, 0 to 1.

            >>> print(Rule("http:503", probability=1e-3))
            http:503,probability=0.001
            """,
            read=values.probability,
            spell=_plain_number,
            number=True,
            default=1.0,
            default_text="1",
            in_words=lambda _value, text, _scope: f"with a chance of {text}",
        ),
        Trigger(
            key="skip",
            doc="""Skip the first N matching attempts.

            >>> Rule("http:503", skip=2).value("skip")
            2
            """,
            read=values.count,
            number=True,
            default=0,
            default_text="0",
            in_words=lambda value, _text, scope: f"after the first {value} {scope}",
            counts=True,
        ),
        Trigger(
            key="from",
            doc="""Fire from the Nth matching attempt on, for good; in Python `from_`.

            >>> print(Rule("cos:ExpiredToken", from_=3))
            cos:ExpiredToken,from=3
            """,
            read=partial(values.count, least=1),
            number=True,
            default=1,
            default_text="1",
            in_words=_from_in_words,
            counts=True,
        ),
        Trigger(
            key="every",
            doc="""After the skipped ones, only every Nth matching attempt: the Nth, the 2Nth and so on.

            >>> Rule("http:503", every=10).value("every")
            10
            """,
            read=partial(values.count, least=1),
            number=True,
            default=1,
            default_text="1",
            in_words=lambda value, _text, scope: f"every {ordinal(value)} of them {scope}",
            counts=True,
        ),
        Trigger(
            key="times",
            doc="""At most N injected faults; 0 is never.

            >>> Rule("http:503", times=2).value("times")
            2
            """,
            read=values.count,
            number=True,
            default_text="no limit",
            in_words=_times_in_words,
            counts=True,
        ),
        Trigger(
            key="per",
            doc="""The scope in which skip, from, every, times and above count.

            One of `rule`, `call` (the retries of one thing: method, bucket, key, query), `key` (bucket and
            key), `bucket`, `operation`, `client`.

            >>> print(Rule("http:503", per="call", times=2))
            http:503,times=2,per=call
            """,
            choices=tuple(SCOPES),
            default="rule",
            default_text="rule",
            in_words=lambda _value, _text, _scope: "",  # the other triggers name the scope
        ),
        Trigger(
            key="above",
            doc="""Only the attempts in excess of a rate, `100/s` or `5/10s`.

            >>> Rule("http:503", above="5/10s").value("above")
            (5, 10.0)
            """,
            read=values.rate,
            default_text="off",
            in_words=lambda _value, text, scope: f"as far as they exceed {text} {scope}",
            counts=True,
        ),
        Trigger(
            key="begin",
            doc="""Only from this long after the scenario took effect.

            >>> Rule("http:503", begin=90).value("begin")
            90.0
            """,
            seconds=True,
            default=0.0,
            default_text="0s",
            in_words=lambda _value, text, _scope: f"from {text} after the start on",
        ),
        Trigger(
            key="end",
            doc="""Only until this long after the scenario took effect.

            >>> Rule("http:503", end="5m").value("end")
            300.0
            """,
            seconds=True,
            default_text="no end",
            in_words=lambda _value, text, _scope: f"until {text} after the start",
        ),
    )
}
DECIDING = tuple(trigger for trigger in TRIGGERS if trigger not in ("probability", "per"))
"""The triggers, other than `probability`, that limit how often a rule fires."""
FOR_GOOD, NOT_FOR_GOOD = "from", ("skip", "every", "times")
"""The trigger of a fault that stays, and the triggers of faults that end."""
