"""What a check says of a client."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.journal.calls import Call

FAIL, WARN, INCONCLUSIVE, PASS = "FAIL", "WARN", "INCONCLUSIVE", "PASS"
VERDICTS = (FAIL, WARN, INCONCLUSIVE, PASS)
"""The verdicts, the worst first."""
SIGNS = {FAIL: "✕", WARN: "!", INCONCLUSIVE: "?", PASS: "✓"}
"""The sign of each verdict, for eyes that do not see colours."""


class Finding:
    """One verdict.

    Args:
        check: the check's name, such as `gives up`.
        verdict: `PASS`, `FAIL`, `WARN` or `INCONCLUSIVE`.
        n: how many calls, waits or requests it rests on.
        message: the measurement, in one line; INCONCLUSIVE says what to add.
        reference: the document that asks for it, in one line.
        calls: some of the calls that show it, the most telling first.
        subject: what it is about where a check looks at several things: `503 SlowDown`, `seconds`; else None.
        client: whose calls these are, where there was more than one client; else None.
        said_by: the check whose finding says this as well, so that nobody needs to be told twice; else None.
    """

    __slots__ = ("calls", "check", "client", "message", "n", "reference", "said_by", "subject", "verdict")

    def __init__(
        self,
        check: str,
        verdict: str,
        n: int,
        message: str,
        reference: str,
        calls: Sequence[Call] = (),
        *,
        subject: str | None = None,
        client: str | None = None,
        said_by: str | None = None,
    ) -> None:
        self.check = check
        self.verdict = verdict
        self.n = n
        self.message = message
        self.reference = reference
        self.calls = tuple(calls)
        self.subject = subject
        self.client = client
        self.said_by = said_by

    @property
    def name(self) -> str:
        """The check's name and what it is about: `retry-after: seconds`."""
        return self.check if self.subject is None else f"{self.check}: {self.subject}"

    def to_dict(self) -> dict[str, object]:
        """The finding as one object of the JSON report; `client` only where there was more than one."""
        found: dict[str, object] = {
            "check": self.check,
            "subject": self.subject,
            "verdict": self.verdict,
            "n": self.n,
            "message": self.message,
            "reference": self.reference,
            "calls": [each.to_dict() for each in self.calls],
        }
        return found if self.client is None else {"client": self.client, **found}

    def __repr__(self) -> str:
        return f"<Finding {self.name} {self.verdict}: {self.message}>"
