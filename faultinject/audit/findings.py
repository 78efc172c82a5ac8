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
        message: what is so, in one line, with its numbers.
        reference: the document that asks for it, in one line.
        calls: some of the calls that show it, the clearest first.
        subject: its subject, if a check has several: `503 SlowDown`, `seconds`; otherwise None.
        client: the client of these calls, if there was more than one; otherwise None.
        said_by: the check whose finding already says this; otherwise None.
        action: what to do about it, one imperative sentence; empty for PASS. For INCONCLUSIVE, how to decide it.
    """

    __slots__ = (
        "action", "calls", "check", "client", "message", "n", "reference", "said_by", "subject", "verdict",
    )  # fmt: skip

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
        action: str = "",
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
        self.action = action

    @property
    def name(self) -> str:
        """The check's name and its subject: `retry-after: seconds`."""
        return self.check if self.subject is None else f"{self.check}: {self.subject}"

    @property
    def full_name(self) -> str:
        """The same, and whose: `retry-after: seconds of curl/8.1`, if there was more than one client."""
        return self.name if self.client is None else f"{self.name} of {self.client}"

    @property
    def wrong(self) -> bool:
        """Whether it is a failure or a warning."""
        return self.verdict in (FAIL, WARN)

    @property
    def measured(self) -> str:
        """The message, without the subject if it begins with that."""
        return self.message.removeprefix(f"{self.subject}: ")

    def to_dict(self) -> dict[str, object]:
        """The finding as one object of the JSON report; `client` only if there was more than one."""
        found: dict[str, object] = {
            "check": self.check,
            "subject": self.subject,
            "verdict": self.verdict,
            "n": self.n,
            "message": self.message,
            "action": self.action,
            "reference": self.reference,
            "calls": [each.to_dict() for each in self.calls],
        }
        return found if self.client is None else {"client": self.client, **found}

    def __repr__(self) -> str:
        return f"<Finding {self.name} {self.verdict}: {self.message}>"
