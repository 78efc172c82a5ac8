"""Calls for the same thing, while they are under way."""

from __future__ import annotations

from faultinject.audit.matching import alike, changed, shorter
from faultinject.journal.attempts import BROKEN
from faultinject.journal.calls import SDK_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.calls import Call

WINDOW = 60.0
"""Seconds after which a like request is no retry any more."""
CROWD = 300
"""Calls for one thing at a time above which nothing is said of any."""
SOON = 10.0
"""Seconds after a failure, or after the wait that it asked for, within which a like request may try it again."""
POLL = 1.0
"""Seconds from which on who asks again for what was refused may as well be waiting for it to change."""
COPIES = 10
"""Attempts of a call that may be copies of one that is slow."""
AT_ONCE = 0.02
"""Seconds within which a request on another connection makes one ask whether it is of the same call."""


OTHER_BODY, OTHER_KEY, OTHER_CREDENTIAL, LATER = "other body", "other key", "other credential", "later"
"""Why a like request that comes right after a failure may be a retry, and may be none."""


class OpenCall:
    """A call that may go on.

    Attributes:
        attempts: so far, in order of arrival.
        lane: those for the same thing.
        windows: the told calls that it may be.
        cut: whether its beginning is missing.
        followed: why a like request right after it was not held to be of it, as `Call` has it.
        follows: why it may be of the call before.
        again: as `Call` has it.
        ended: whether what came after it cannot be of it.
    """

    __slots__ = (
        "_began",
        "_last",
        "again",
        "attempts",
        "cut",
        "ended",
        "followed",
        "follows",
        "lane",
        "windows",
    )

    def __init__(
        self,
        attempt: Attempt,
        lane: CallGroup,
        windows: tuple[CallWindow, ...],
        *,
        cut: bool,
        number: int = 0,
    ) -> None:
        self.attempts = [attempt]
        self.lane = lane
        self.windows = windows
        self.cut = cut
        self.followed: str | None = None
        self.follows: str | None = None
        self.again: float | None = None
        self.ended = False
        self._began = self._last = number

    @property
    def alone(self) -> bool:
        """Whether its client asked for nothing else meanwhile."""
        return self._last - self._began == len(self.attempts) - 1

    def add(self, attempt: Attempt, number: int = 0) -> None:
        """Add an attempt; long texts that it has in common with the one before are kept once.

        Args:
            attempt: the request.
            number: of the requests of its client.
        """
        self._last = number
        before = self.attempts[-1]
        for name in ("path", "key", "request_digest"):
            value = getattr(before, name)
            if value == getattr(attempt, name):
                setattr(attempt, name, value)
        self.attempts.append(attempt)

    @property
    def failed(self) -> bool:
        """Whether the last attempt failed."""
        return self.attempts[-1].failed

    @property
    def over(self) -> float:
        """When the last answer was given, or the last request came."""
        last = self.attempts[-1]
        if len(self.attempts) == 1:
            return max(last.arrived if last.answered is None else last.answered, 0.0)
        return max(last.arrived if last.answered is None else last.answered, self._copied)

    @property
    def _copied(self) -> float:
        """When the last attempt was answered that had copies sent after it; 0: there is none."""
        if len(self.attempts) == 1:
            return 0.0
        return max(each.answered or 0.0 for each in self.attempts[-COPIES:-1])

    @property
    def touched(self) -> bool:
        """Whether a client may try again though it got an answer: something was done to it, or it is not on record."""
        last = self.attempts[-1]
        return last.failed or last.injected or (last.status is None and self.lane.signal == SDK_ID)

    def flies(self, now: float) -> bool:
        """Whether the last attempt has no answer yet, or one that it is a copy of."""
        last = self.attempts[-1]
        if last.answered is None:
            # Who hangs is not answered, and goes on when it likes; of what passes the answer may not be on record.
            return last.did not in BROKEN and last.injected
        return last.answered > now or self._copied > now

    def may_be(self, windows: tuple[CallWindow, ...]) -> bool:
        """Whether an attempt in these told calls may be of this one."""
        return windows == self.windows or any(each in self.windows for each in windows)

    def carries(self, attempt: Attempt) -> bool:
        """Whether an attempt is of the principal and has the body of this call."""
        attempts = self.attempts
        return alike(attempts[0], attempt) or (len(attempts) > 1 and alike(attempts[-1], attempt))


class CallGroup:
    """The calls for one thing: of one fingerprint, or of one id.

    Attributes:
        key: what they share.
        signal: what joins them.
        own: whether it is of one caller for sure.
        mixed: one request of each body of which calls went on at once, so that nobody can tell which is whose.
        crossing: one request of each body of which calls may have been joined that were made on two connections in turn.
        crowded: whether there were too many of them to say anything at all.
        running: calls that may go on.
        guesses: first attempts, each with a shorter one that was held to be of its call.
        made: told calls of which something may yet be learnt.
        touched: when something last happened, seconds.
    """

    __slots__ = (
        "crossing", "crowded", "guesses", "key", "made", "mixed", "own", "running", "signal", "touched",
    )  # fmt: skip

    def __init__(self, key: Hashable, signal: str, *, own: bool) -> None:
        self.key = key
        self.signal = signal
        self.own = own
        self.mixed: list[Attempt] = []
        self.crossing: list[Attempt] = []
        self.crowded = False
        self.guesses: list[tuple[Attempt, Attempt]] = []
        self.running: list[OpenCall] = []
        self.made: list[Call] = []
        self.touched = 0.0

    def share(self, attempt: Attempt) -> None:
        """Nothing is sure of the calls with this request's body, those told included, unless there is one caller."""
        if self.own or self._mixes(attempt):
            return
        self.mixed.append(attempt)
        self.crowded = len(self.mixed) > CROWD
        self._doubt()

    def cross(self, attempt: Attempt) -> None:
        """The same, unless what the client got shows that whoever asks again has failed."""
        if self.own or self.doubts(attempt):
            return
        self.crossing.append(attempt)
        self.crowded = len(self.crossing) > CROWD
        self._doubt()

    def crowd(self) -> None:
        """Nothing is sure of any of its calls."""
        self.crowded = True
        self._doubt()

    def doubts(self, attempt: Attempt) -> bool:
        """Whether nothing is sure of calls with this request's body."""
        if not (self.crowded or self.mixed or self.crossing):
            return False
        return self._mixes(attempt) or any(alike(each, attempt) for each in self.crossing)

    def crosses(self, attempt: Attempt) -> bool:
        """Whether nothing but the connections speaks against calls with this request's body."""
        return self.doubts(attempt) and not self._mixes(attempt)

    def _mixes(self, attempt: Attempt) -> bool:
        return self.crowded or any(alike(each, attempt) for each in self.mixed)

    def _doubt(self) -> None:
        for each in self.made:
            each.shared, each.crossed = self.doubts(each.first), self.crosses(each.first)
        self.made = [each for each in self.made if each.crossed or not each.shared]

    def by_id(self, now: float, *, retry: bool | None) -> OpenCall | None:
        """The call that an attempt with this lane's id goes on with; None: it begins one."""
        for each in reversed(self.running):
            if each.touched or retry or each.flies(now):
                return each
        return None

    def by_driver(self, windows: tuple[CallWindow, ...], now: float) -> OpenCall | None:
        """The same where every call has its own key."""
        for each in reversed(self.running):
            if (each.touched or each.flies(now)) and each.may_be(windows):
                return each
        return None

    def by_looks(
        self,
        attempt: Attempt,
        windows: tuple[CallWindow, ...],
        retry: bool | None,
        written: Callable[[Attempt, Attempt], bool],
    ) -> tuple[OpenCall | None, str | None]:
        """The same by principal, body and time; finds out whether the lane is shared.

        Args:
            attempt: the request.
            windows: the told calls that it may be of.
            retry: whether it says that it is one, or that it is none.
            written: whether its client wrote something, after a refused attempt, that may let this one succeed.

        Returns:
            The call, or why one before it may go on with it, as `Call.follows` has it; or neither.
        """
        if not self.running and not self.guesses:
            return None, None
        now = attempt.arrived
        here = [each for each in self.running if each.may_be(windows)]
        same = [each for each in here if each.carries(attempt)]
        waiting = [each for each in same if _waits(each, now)]
        named = is_named(windows)
        at_once = len(waiting) > 1 or any(each.flies(now) for each in same)
        if at_once and not (named and all(each.windows == windows for each in same)):
            self.share(attempt)
        if retry is False:
            return None, None
        if named:
            # A test says that there is one call: then this is a copy of what is slow.
            for each in reversed(same):
                if each.windows == windows and each.flies(now):
                    return each, None
        found = self._found(attempt, here, same, waiting, windows if named else ())
        if found is None:
            return None, self._follow(attempt, here)
        last = found.attempts[-1]
        if retry is None and last.kind == "client":
            if changed(last, attempt) or written(last, attempt):
                found.ended = True
                return None, None
            if now - found.over >= POLL:
                found.ended, found.followed = True, LATER
                return None, LATER
        elif retry is None and changed(last, attempt):
            found.ended, found.followed = True, OTHER_CREDENTIAL
            return None, OTHER_CREDENTIAL
        return found, None

    def _follow(self, attempt: Attempt, here: list[OpenCall]) -> str | None:
        """Note where calls that have just failed may go on with a request that carries another body."""
        follows = None
        for each in here:
            last = each.attempts[-1]
            if not _may_be_one_caller(last, attempt) or not _waits(each, attempt.arrived):
                continue
            if last.kind == "client" and changed(last, attempt):
                each.ended = True
            elif _soon(each, attempt.arrived):
                each.followed = follows = OTHER_BODY
        return follows

    def _found(
        self,
        attempt: Attempt,
        here: list[OpenCall],
        same: list[OpenCall],
        waiting: list[OpenCall],
        named: tuple[CallWindow, ...],
    ) -> OpenCall | None:
        """The call that goes on with an attempt; finds out whether the lane is shared.

        Args:
            attempt: the request.
            here: the calls that it may be of.
            same: those of them with its body.
            waiting: those of these that may be tried again.
            named: the one call that a test says it is of, if it does.
        """
        now = attempt.arrived
        if not same:
            failed = [each for each in here if _waits(each, now)]
            if (
                len(failed) == 1
                and named
                and failed[0].windows == named
                and _sends_other_bytes(failed[0], attempt)
            ):
                return failed[0]
            if len(failed) == 1 and shorter(attempt, failed[0].attempts[0]):
                if self._mixes(attempt):  # that body has been another call's
                    self.share(failed[0].attempts[0])
                else:
                    self.guesses.append((failed[0].attempts[0], attempt))
                return failed[0]
        self._doubt_guesses(attempt, whole=bool(same))
        for each in waiting:
            last = each.attempts[-1]
            if last.connection == attempt.connection and last.client == attempt.client:
                return each
        return waiting[0] if waiting else None

    def _doubt_guesses(self, attempt: Attempt, *, whole: bool) -> None:
        """Take back what was held to be a body that was not rewound, where it may be another call's.

        Who sends one more body may have sent the others for other calls; who sends the whole one again rewinds, unless
        the shorter one was empty: what was read to its end leaves nothing.

        Args:
            attempt: the request that has come.
            whole: whether it has the body of a call that is under way.
        """
        for pair in self.guesses[:]:
            first, second = pair
            if not whole or (second.request_bytes and alike(first, attempt) and not alike(second, attempt)):
                self.guesses.remove(pair)
                self.share(first)
                self.share(second)


def is_named(windows: tuple[CallWindow, ...]) -> bool:
    """Whether a test says that there is one call."""
    return len(windows) == 1 and windows[0].name is not None


def _waits(running: OpenCall, now: float) -> bool:
    """Whether a call may be tried again now."""
    return (
        running.failed
        and not running.ended
        and not running.flies(now)
        and now - running.over <= max(WINDOW, 2 * (running.attempts[-1].hint or 0.0))
    )


def _soon(running: OpenCall, now: float) -> bool:
    """Whether what comes now may be a retry of a call that has failed."""
    return now - running.over <= SOON + (running.attempts[-1].hint or 0.0)


def _may_be_one_caller(before: Attempt, attempt: Attempt) -> bool:
    return before.principal == attempt.principal or before.seed != attempt.seed


def _sends_other_bytes(running: OpenCall, attempt: Attempt) -> bool:
    """Whether what comes after a failure that may pass is a retry with another body; after a refusal it is corrected."""
    last = running.attempts[-1]
    return last.kind != "client" and _may_be_one_caller(last, attempt)
