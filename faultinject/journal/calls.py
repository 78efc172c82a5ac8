"""A call: what a program asks its client for, and the attempts that the client makes for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from faultinject.engine.request import BODILESS
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow

FINGERPRINT, RETRY_MARK, SDK_ID, TOLD = "fingerprint", "retry mark", "SDK id", "told"
"""The evidence that groups the attempts of a call, the weakest first.

`told`: the test or the driver said where it began and ended.
"""


class Call:
    """The attempts of one call, in order of arrival.

    Args:
        attempts: at least one.
        signal: the evidence that grouped them: `told` (by a test or a driver), `SDK id`, `retry mark` or
            `fingerprint`.
        closed: whether it is over: no more attempts can come.
        shared: whether other calls for the same object ran at the same time, or may have, which mixes their attempts.
        crossed: whether only the use of connections suggests that some of its attempts belong to another call.
        cut: whether its beginning is missing: its first attempt is marked as a retry.
        name: the name from the test or the driver, or the phase of a plan; None if it has none.
        returned: whether its caller got a result (True) or an error (False); None if that is unknown.
        error: the error's text, if the caller got one and reported it.
        alone: whether its client sent no other request between its first attempt and its last.
        followed: the reason why a similar request right after its last failure does not count as a retry: `other
            body`, `other key`, `other credential`; None if there was no such request.
        follows: in the same words, the reason why its own first attempt does not count as a retry of the call before.
        again: seconds from its failure until its client repeated the unchanged request under a new id of its SDK;
            None if that did not happen within ten seconds.
        window: the named call in which its attempts were made, and perhaps other calls; None if there is none.
        windows: the named calls and tests in which they may have been made; several if these ran at the same time.
        over: the time by which it must be over, in seconds; infinity while an answer is missing.

    Attributes:
        first: the first attempt.
        last: the last attempt.
        retries: attempts after the first.
    """

    def __init__(
        self,
        attempts: Sequence[Attempt],
        signal: str,
        *,
        closed: bool = True,
        shared: bool = False,
        crossed: bool = False,
        cut: bool = False,
        name: str | None = None,
        returned: bool | None = None,
        error: str | None = None,
        alone: bool = False,
        followed: str | None = None,
        follows: str | None = None,
        again: float | None = None,
        window: CallWindow | None = None,
        windows: tuple[CallWindow, ...] = (),
        over: float = 0.0,
    ) -> None:
        self.attempts = tuple(attempts)
        self.first = attempts[0]
        self.last = attempts[-1]
        self.retries = len(attempts) - 1
        self.signal = signal
        self.closed = closed
        self.shared = shared
        self.crossed = crossed
        self.cut = cut
        self.name = name
        self.returned = returned
        self.error = error
        self.alone = alone
        self.followed = followed
        self.follows = follows
        self.again = again
        self.window = window
        self.windows = windows
        self.over = over

    @cached_property
    def gaps(self) -> tuple[float | None, ...]:
        """For each retry, the seconds since the answer before it; None: its time is unknown."""
        return tuple(
            None if before.answered is None else after.arrived - before.answered
            for before, after in zip(self.attempts, self.attempts[1:], strict=False)
        )

    @cached_property
    def same_bytes(self) -> bool | None:
        """Whether every attempt sent the same body, as far as the journal shows.

        For a request without a fault the journal has only the length. None if there is only one attempt, a length is
        not known, a body was not read to its end, or the call was resumed.
        """
        if len(self.attempts) < 2:
            return None
        if self.other_bytes is not None:
            return False
        comparable = not self.resumed and all(
            attempt.body_complete is not False and _size(attempt) is not None for attempt in self.attempts
        )
        return True if comparable else None

    @property
    def resumed(self) -> bool:
        """Whether an attempt continued with another part of the body, where one had broken off.

        The part may be uploaded or downloaded.
        """
        return any(attempt.part != self.first.part for attempt in self.attempts)

    @property
    def same_digests(self) -> bool:
        """Whether digests prove that two or more attempts sent the same bytes."""
        digested = [
            attempt
            for attempt in self.attempts
            if attempt.request_digest is not None and attempt.body_complete is not False
        ]
        return len(digested) > 1 and self.same_bytes is not False

    @cached_property
    def other_bytes(self) -> tuple[Attempt, Attempt] | None:
        """An attempt and a later one with a different body, as far as the journal shows, or None.

        Only attempts that send the same part can be compared.
        """
        if not self.retries:
            return None
        parts = dict.fromkeys(attempt.part for attempt in self.attempts)
        pairs = (
            _other_bytes([attempt for attempt in self.attempts if attempt.part == part]) for part in parts
        )
        return next(filter(None, pairs), None)

    @property
    def succeeded(self) -> bool:
        """Whether the last answer was not a failure."""
        return not self.last.failed

    @property
    def inferred(self) -> bool:
        """Whether its attempts were grouped by fingerprint alone."""
        return self.signal == FINGERPRINT

    def __repr__(self) -> str:
        answers = ", ".join(attempt.answer for attempt in self.attempts)
        return f"<Call {self.first.method} {self.first.path!r}: {answers}>"


def _other_bytes(attempts: Sequence[Attempt]) -> tuple[Attempt, Attempt] | None:
    """Two of these attempts with different bodies, or None; all of them send the same part."""
    sized = digested = size = None
    for attempt in attempts:
        if attempt.body_complete is False:
            continue
        own_size = _size(attempt)
        if own_size is not None:
            if sized is not None and size != own_size:
                return sized, attempt
            sized, size = attempt, own_size
        if attempt.request_digest is not None:
            # Digests are keyed with the seed: under different seeds they cannot be compared.
            if (
                digested is not None
                and digested.seed == attempt.seed
                and digested.request_digest != attempt.request_digest
            ):
                return digested, attempt
            digested = attempt
    return None


def _size(attempt: Attempt) -> int | None:
    """Bytes of the body; None where they are not known."""
    if attempt.request_bytes is None and attempt.method in BODILESS:
        return 0
    return attempt.request_bytes
