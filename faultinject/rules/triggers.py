"""The triggers: which of the matching attempts get the fault. One row each, in the canonical order."""

from __future__ import annotations

from functools import partial

from faultinject.rules import values
from faultinject.rules.key import Key

SCOPES = ("rule", "call", "key", "bucket", "operation", "client")


def _plain_number(text: str) -> str:
    """The number without an exponent."""
    return values.number_text(float(text)) if "e" in text.lower() else text


TRIGGERS: dict[str, Key] = {
    each.key: each
    for each in (
        Key(
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
        ),
        Key(
            key="skip",
            doc="""Skip the first N matching attempts.

            >>> Rule("http:503", skip=2).value("skip")
            2
            """,
            read=values.count,
            number=True,
            default=0,
            default_text="0",
        ),
        Key(
            key="from",
            doc="""Fire from the Nth matching attempt on, for good; in Python `from_`.

            >>> print(Rule("cos:ExpiredToken", from_=3))
            cos:ExpiredToken,from=3
            """,
            read=partial(values.count, least=1),
            number=True,
            default=1,
            default_text="1",
        ),
        Key(
            key="every",
            doc="""Then only every Nth of them: the Nth, the 2Nth and so on.

            >>> Rule("http:503", every=10).value("every")
            10
            """,
            read=partial(values.count, least=1),
            number=True,
            default=1,
            default_text="1",
        ),
        Key(
            key="times",
            doc="""At most N injected faults; 0 is never.

            >>> Rule("http:503", times=2).value("times")
            2
            """,
            read=values.count,
            number=True,
            default_text="no limit",
        ),
        Key(
            key="per",
            doc="""The scope in which skip, from, every, times and above count.

            One of `rule`, `call` (the retries of one thing: method, bucket, key, query), `key` (bucket and key), `bucket`,
            `operation`, `client`.

            >>> print(Rule("http:503", per="call", times=2))
            http:503,times=2,per=call
            """,
            choices=SCOPES,
            default="rule",
            default_text="rule",
        ),
        Key(
            key="above",
            doc="""Only the attempts in excess of a rate, `100/s` or `5/10s`.

            >>> Rule("http:503", above="5/10s").value("above")
            (5, 10.0)
            """,
            read=values.rate,
            default_text="off",
        ),
        Key(
            key="begin",
            doc="""Only from this long after the scenario took effect.

            >>> Rule("http:503", begin=90).value("begin")
            90.0
            """,
            seconds=True,
            default=0.0,
            default_text="0",
        ),
        Key(
            key="end",
            doc="""Only until this long after the scenario took effect.

            >>> Rule("http:503", end="5m").value("end")
            300.0
            """,
            seconds=True,
            default_text="no end",
        ),
    )
}
FOR_GOOD, NOT_FOR_GOOD = "from", ("skip", "every", "times")
"""A fault that stays, and what says that it does not."""
