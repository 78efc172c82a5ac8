"""Attempts become calls: by the client's own id, by its retry marks, else by their fingerprint.

```text
 attempts, in order of arrival                                            what bounds it
   |
   |  key: the id that the SDK gives to all attempts of a call, or else
   |       the fingerprint, which is who asks for what
   v
 CallGroup, one for each key                                  groups are let go, the longest unused first:
   |                                                          all is well: once their answers are given;
   |  Which open call does the attempt go on with?            a call failed: after `WINDOW`, or twice the
   |    by id:     the call of that id                        longest wait seen, `LONGEST` at most
   |    driven:    the call in the same call window
   |    by fingerprint: a failed call of the same             `History` knows the last `WRITES` writes and
   |               principal and with the same body,          reads of `CLIENTS` clients
   |               unless its client has written something
   |               or changed its token in between
   |  If it may be several, or connections take turns, the
   |  calls with that body are shared: those told as well
   v
 OpenCall, one for each call under way                        `CROWD` in a group by fingerprint,
   |                                                          `MANY` attempts in a call
   |  It has succeeded; or its client is quiet for longer
   |  than it ever waited; or its call window has ended
   v
 Call, handed to `tell`                                       what is known of a group that is gone is kept
                                                              for `REMEMBERED` groups
```

It streams, so that a journal of a million lines is judged in less than 200 MiB. To hold all attempts and sort them would
take 700 to 1,000 bytes for each, 700 to 970 MiB for that journal.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from faultinject.audit.matching import (
    alike,
    changed,
    client_of,
    fingerprint,
    has_own_key,
    invocation,
    marked,
    shorter,
)
from faultinject.journal.attempts import BROKEN
from faultinject.journal.call_window import CallWindows
from faultinject.journal.calls import FINGERPRINT, RETRY_MARK, SDK_ID, TOLD, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable
    from typing import Any

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow

WINDOW = 60.0
"""Seconds after which a like request is no retry any more."""
LONGEST = 600.0
"""Seconds after which a call is over, however long its client's waits are."""
SHORTEST, UNSEEN = 2.0, 10.0
"""Seconds of quiet after which a call is over when its journal ends: the least, and of a client that never retried."""
SOON = 10.0
"""Seconds after a failure, or after the wait that it asked for, within which a like request may try it again."""
POLL = 1.0
"""Seconds from which on a client that asks again for what was refused may as well be waiting for it to change."""
AT_ONCE = 0.02
"""Seconds within which a request on another connection makes one ask whether it is of the same call."""
COPIES = 10
"""Attempts of a call that may be copies of one that is slow."""

CROWD = 300
"""Calls for one thing at a time above which nothing is said of any."""
MANY = 10_000
"""Attempts after which a call is told, though it goes on: what comes then is a call whose beginning is missing."""
REMEMBERED = 2_000
"""How many of the groups, connections and clients that are gone are remembered."""
CLIENTS = 2_000
"""Of how many clients, and of how many things that were asked for under an id, something is remembered."""
WRITES = 200
"""How many writes of a client are remembered, and how many reads."""

READING = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing."""
STALE = 412
"""The answer after which a client reads again what it wants to write, and may find that it is as it was."""
LOCKED_OUT = (401, 403)
"""Answers after which a client may have to log in, wherever that is."""

OTHER_BODY, OTHER_KEY, OTHER_CREDENTIAL = "other body", "other key", "other credential"
"""Why a like request that comes right after a failure may be a retry, and may be none."""


class Grouper:
    """Takes attempts in order of arrival and tells calls as they end; holds no more than those under way.

    An attempt goes on with a call when both carry the client's id of it; else when they look alike, the call's last
    attempt failed and was answered at most 60 seconds ago, and nothing marks it as a first one. Calls of one look
    that went on at once cannot be told apart: they are `shared`.

    Args:
        driven: whether every call has its own key, so that nothing is shared.
        told: what a test or a driver says of its calls; nothing joins across their borders.
        tell: called with every call. What it says of itself may change until `end` has returned: that it is shared
            is learnt late.
        marks: user agents that are known to mark their retries.
    """

    def __init__(
        self,
        *,
        driven: bool = False,
        told: Collection[CallWindow] = (),
        tell: Callable[[Call], object],
        marks: Collection[str] = (),
    ) -> None:
        self._driven = driven
        self._tell = tell
        self._marking = OrderedDict.fromkeys(map(client_of, marks), True)
        self._history = History()
        self._windows = CallWindows(told) if told else None
        self._by_window: dict[CallWindow, dict[OpenCall, None]] = {each: {} for each in told}
        ending = [each for each in told if each.key is None and each.ended is not None]
        self._ending = sorted(ending, key=_end, reverse=True)
        self._groups: dict[Hashable, CallGroup] = {}
        # Those in which all is well, and those in which a call may be tried again; the longest untouched first.
        self._well: OrderedDict[CallGroup, None] = OrderedDict()
        self._waiting: OrderedDict[CallGroup, None] = OrderedDict()
        self._gone: OrderedDict[Hashable, CallGroup] = OrderedDict()
        self._suspects: OrderedDict[tuple[str | None, int | None], tuple[CallGroup, Attempt]] = OrderedDict()
        self._longest: OrderedDict[str, float] = OrderedDict()
        self._patience = WINDOW
        self._latest = float("-inf")

    def add(self, attempt: Attempt, looks: Hashable = None) -> None:
        """Take the next attempt.

        Args:
            attempt: the request.
            looks: its fingerprint, where somebody knows it.
        """
        now = attempt.arrived
        self._latest = max(self._latest, now)
        self._tell_over(now)
        if self._suspects:
            self._use_again(attempt)
        windows = () if self._windows is None else self._windows.of(attempt)
        looks = looks or fingerprint(attempt)
        group, retry = self._group_of(attempt, looks)
        number = self._history.see(attempt)
        follows = None
        if group.signal == SDK_ID:
            found = group.by_id(now, retry=retry)
        elif self._driven and (windows or attempt.key is not None):
            found = group.by_driver(windows, now)
        else:
            found, follows = group.by_looks(attempt, windows, retry, self._history.written)
        endless = found is not None and len(found.attempts) >= MANY
        if found is not None and endless:
            group.open.remove(found)
            self._tell_open(found, closed=True)
        if found is None or endless:
            open_call = OpenCall(attempt, group, windows, cut=endless or retry is True, number=number)
            if group.signal == SDK_ID:
                follows = self._history.begin(open_call, looks)
            open_call.follows = follows
            group.open.append(open_call)
            for each in windows:
                self._by_window[each][open_call] = None
        else:
            self._continue(found, attempt, windows, number)
        self._keep(group, now)

    def end(self, until: float | None = None) -> None:
        """Tell the calls that are left; those that may go on are not `closed`.

        Args:
            until: when the journal was read, seconds of its monotonic clock; by default when the last request came.
        """
        until = self._latest if until is None else max(until, self._latest)
        for window in list(self._by_window):
            self._finish(window)
        for group in list(self._groups.values()):
            self._drop(group, until)
        self._suspects.clear()

    def awaited(self) -> list[float]:
        """When each call under way that would count must be over, seconds; infinity where an answer is not there yet.

        Ask before `end`.
        """
        found = []
        for group in self._groups.values():
            for each in group.open:
                if each.cut or group.doubts(each.attempts[0]):
                    continue
                if each.in_flight(float("inf")):
                    found.append(float("inf"))
                elif each.failed:
                    found.append(each.over + self._quiet(each))
        return found

    def _group_of(self, attempt: Attempt, looks: Hashable) -> tuple[CallGroup, bool | None]:
        """The group of an attempt, and whether it says that it is a retry, or that it is none."""
        own, retry = invocation(attempt), marked(attempt)
        key, signal = looks, FINGERPRINT
        if own is not None:
            key, signal = (own, attempt.test, attempt.method, attempt.path, attempt.query), SDK_ID
        else:
            agent = client_of(attempt.user_agent)
            if retry:
                _remember(self._marking, agent, True)
            elif retry is None and agent in self._marking:
                retry = False
        group = self._groups.get(key)
        if group is None:
            group = self._gone.pop(key, None) if self._gone else None
            if group is None:
                group = CallGroup(key, signal, own=self._driven or own is not None)
            self._groups[key] = group
        if retry is not None and own is None:
            group.signal = RETRY_MARK
        return group, retry

    def _continue(
        self, open_call: OpenCall, attempt: Attempt, windows: tuple[CallWindow, ...], number: int
    ) -> None:
        """Add an attempt to a call."""
        before, group = open_call.attempts[-1], open_call.group
        open_call.add(attempt, number)
        if open_call.windows:
            open_call.windows = tuple(each for each in open_call.windows if each in windows)
        if before.answered is None:
            return
        gap = attempt.arrived - before.answered
        if before.kind != "client":  # who waits for a change may do so for long
            agent = client_of(attempt.user_agent)
            _remember(self._longest, agent, max(gap, self._longest.get(agent, 0.0)))
            self._patience = max(self._patience, min(2 * gap, LONGEST))
        if (
            gap < AT_ONCE
            and not (group.own or group.crowded or before.did in BROKEN or is_named(open_call.windows))
            and None not in (before.connection, attempt.connection)
            and before.connection != attempt.connection
        ):
            _remember(self._suspects, (before.client, before.connection), (group, before))

    def _use_again(self, attempt: Attempt) -> None:
        """A connection is used on, and for what came on it another one was used at once: there were two callers."""
        found = self._suspects.pop((attempt.client, attempt.connection), None)
        if found is not None:
            group, before = found
            if attempt.arrived - before.arrived <= WINDOW:
                group.cross(before)

    def _keep(self, group: CallGroup, now: float) -> None:
        """Tell what is over in a group that was just used, and put it where it is looked after in time."""
        if len(group.open) > CROWD and not group.own:
            group.crowd()
            for each in group.open[: CROWD // 2]:
                self._tell_open(each, closed=False)
            del group.open[: CROWD // 2]
        open_calls, group.open = group.open, []
        waits = False
        for each in open_calls:
            touched = each.touched
            if (touched and now - each.over <= self._patience) or each.in_flight(now):
                group.open.append(each)
                waits = waits or touched
            else:
                self._tell_open(each, closed=True)
        group.touched = now
        into = self._waiting if waits else self._well
        if group.kept_in is into:
            into.move_to_end(group)
            return
        if group.kept_in is not None:
            del group.kept_in[group]
        group.kept_in = into
        into[group] = None

    def _tell_over(self, now: float) -> None:
        """Tell what is over by now."""
        while self._ending and _end(self._ending[-1]) < now:
            self._finish(self._ending.pop())
        for groups, patience in ((self._well, 0.0), (self._waiting, self._patience)):
            while groups:
                group = next(iter(groups))
                open_calls = group.open
                # No call is over before its last request came: most groups need no closer look.
                if (open_calls[-1].attempts[-1].arrived if open_calls else group.touched) + patience >= now:
                    break
                if not open_calls:
                    last = group.touched
                else:
                    last = (
                        open_calls[0].over if len(open_calls) == 1 else max(each.over for each in open_calls)
                    )
                if last + patience < now:
                    self._drop(group)
                    continue
                if now - group.touched > patience + 1:
                    # Its answer takes long: it must not keep back those behind it.
                    groups.move_to_end(group)
                break

    def _drop(self, group: CallGroup, until: float | None = None) -> None:
        """Tell the calls of a group that is used no more, or whose journal has ended."""
        for each in group.open:
            self._tell_open(each, closed=self._closed(each, until))
        del self._groups[group.key]
        assert group.kept_in is not None
        del group.kept_in[group]
        group.kept_in = None
        group.open = []
        if group.crowded or group.mixed or group.crossing or group.made:
            _remember(self._gone, group.key, group)

    def _closed(self, open_call: OpenCall, until: float | None) -> bool:
        """Whether nothing more can come; `until` is None where nothing came for as long as anybody waits."""
        if open_call.in_flight(float("inf")):
            return False
        if until is None or not open_call.failed:
            return True
        return until - open_call.over >= self._quiet(open_call)

    def _quiet(self, open_call: OpenCall) -> float:
        """Seconds without a request after which a failed call of that client is over."""
        longest = self._longest.get(client_of(open_call.attempts[0].user_agent))
        quiet = UNSEEN if longest is None else max(SHORTEST, 2 * longest)
        return quiet + (open_call.attempts[-1].hint or 0.0)

    def _finish(self, window: CallWindow) -> None:
        """Tell the calls in a call window that has ended, or whose journal has."""
        found = [each for each in self._by_window.pop(window) if window in each.windows]
        own = [each for each in found if len(each.windows) == 1]
        last = max(own, key=lambda each: each.attempts[-1].arrived, default=None)
        named = window.key is not None or window.name is not None
        for each in found:
            if any(other in self._by_window for other in each.windows):
                continue
            if each in each.group.open:
                each.group.open.remove(each)
            for other in each.windows:
                self._by_window.get(other, {}).pop(each, None)
            call = self._call_of(each, closed=all(other.ended is not None for other in each.windows))
            if each in own:
                call.name = window.name
                if named:
                    call.window = window
                    call.signal = SDK_ID if call.signal == SDK_ID else TOLD
            if each is last:
                call.returned, call.error = window.returned, window.error
            self._tell(call)

    def _tell_open(self, open_call: OpenCall, *, closed: bool) -> None:
        """Tell a call; one that a test or a driver has a name for is told when that has ended."""
        for each in open_call.windows:
            if each.name is not None:
                return
        for each in open_call.windows:
            self._by_window.get(each, {}).pop(open_call, None)
        self._tell(self._call_of(open_call, closed=closed))

    def _call_of(self, open_call: OpenCall, *, closed: bool) -> Call:
        group = open_call.group
        doubtful = group.doubts(open_call.attempts[0])
        call = Call(
            open_call.attempts,
            group.signal,
            closed=closed,
            shared=doubtful,
            crossed=doubtful and group.crosses(open_call.attempts[0]),
            cut=open_call.cut,
            alone=open_call.alone,
            followed=open_call.followed,
            follows=open_call.follows,
            again=open_call.again,
        )
        if not (group.own or (call.shared and not call.crossed)) and (
            open_call.touched or len(open_call.attempts) > 1
        ):
            group.made.append(call)
            if len(group.made) > REMEMBERED:
                del group.made[: REMEMBERED // 2]
        return call


def group(
    attempts: Iterable[Attempt],
    *,
    driven: bool = False,
    told: Collection[CallWindow] = (),
    until: float | None = None,
) -> list[Call]:
    """The calls that attempts belong to, by their beginning.

    Args:
        attempts: in order of arrival.
        driven: whether every call has its own key.
        told: what a test or a driver says of its calls.
        until: when the journal was read, seconds of its monotonic clock; by default when the last request came.
    """
    calls: list[Call] = []
    grouper = Grouper(driven=driven, told=told, tell=calls.append)
    for each in attempts:
        grouper.add(each)
    grouper.end(until)
    calls.sort(key=lambda call: call.first.arrived)
    return calls


class CallGroup:
    """The calls for one thing: of one fingerprint, or of one id.

    Attributes:
        key: what they share.
        signal: what joins them.
        own: whether it is of one caller for sure.
        mixed: one request of each body of which calls went on at once, so that nobody can tell which is whose.
        crossing: one request of each body of which calls may have been joined that were made on two connections in turn.
        crowded: whether there were too many of them to say anything at all.
        open: calls that may go on.
        guesses: first attempts, each with a shorter one that was held to be of its call.
        made: calls already told of which something may yet be learnt.
        touched: when something last happened, seconds.
        kept_in: the groups among which it waits for being told; None: it is not kept.
    """

    __slots__ = (
        "crossing", "crowded", "guesses", "kept_in", "key", "made", "mixed", "open", "own", "signal", "touched",
    )  # fmt: skip

    def __init__(self, key: Hashable, signal: str, *, own: bool) -> None:
        self.key = key
        self.signal = signal
        self.own = own
        self.mixed: list[Attempt] = []
        self.crossing: list[Attempt] = []
        self.crowded = False
        self.guesses: list[tuple[Attempt, Attempt]] = []
        self.open: list[OpenCall] = []
        self.made: list[Call] = []
        self.touched = 0.0
        self.kept_in: OrderedDict[CallGroup, None] | None = None

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
        """The call that an attempt with this group's id goes on with; None: it begins one."""
        for each in reversed(self.open):
            if each.touched or retry or each.in_flight(now):
                return each
        return None

    def by_driver(self, windows: tuple[CallWindow, ...], now: float) -> OpenCall | None:
        """The same where every call has its own key."""
        for each in reversed(self.open):
            if (each.touched or each.in_flight(now)) and each.may_be(windows):
                return each
        return None

    def by_looks(
        self,
        attempt: Attempt,
        windows: tuple[CallWindow, ...],
        retry: bool | None,
        written: Callable[[Attempt, Attempt], bool],
    ) -> tuple[OpenCall | None, str | None]:
        """The same by principal, body and time; finds out whether the group is shared.

        Args:
            attempt: the request.
            windows: the call windows that it may be of.
            retry: whether it says that it is one, or that it is none.
            written: whether its client wrote something, after a refused attempt, that may let this one succeed.

        Returns:
            The call, or why one before it may go on with it, as `Call.follows` has it; or neither.
        """
        if not self.open and not self.guesses:
            return None, None
        now = attempt.arrived
        here = [each for each in self.open if each.may_be(windows)]
        same = [each for each in here if each.carries(attempt)]
        waiting = [each for each in same if _waits(each, now)]
        named = is_named(windows)
        at_once = len(waiting) > 1 or any(each.in_flight(now) for each in same)
        if at_once and not (named and all(each.windows == windows for each in same)):
            self.share(attempt)
        if retry is False:
            return None, None
        if named:
            # A test says that there is one call: then this is a copy of what is slow.
            for each in reversed(same):
                if each.windows == windows and each.in_flight(now):
                    return each, None
        found = self._found(attempt, here, same, waiting, windows if named else ())
        if found is None:
            return None, self._follow(attempt, here)
        last = found.attempts[-1]
        if retry is None and last.kind == "client":
            if changed(last, attempt) or written(last, attempt):
                found.ended = True
                return None, None
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
        """The call that goes on with an attempt; finds out whether the group is shared.

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


class OpenCall:
    """A call that may go on.

    Attributes:
        attempts: so far, in order of arrival.
        group: the calls for the same thing.
        windows: the call windows that it may be.
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
        "group",
        "windows",
    )

    def __init__(
        self,
        attempt: Attempt,
        group: CallGroup,
        windows: tuple[CallWindow, ...],
        *,
        cut: bool,
        number: int = 0,
    ) -> None:
        self.attempts = [attempt]
        self.group = group
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
        own = last.arrived if last.answered is None else last.answered
        return max(own, 0.0 if len(self.attempts) == 1 else self._copied)

    @property
    def _copied(self) -> float:
        """When the last attempt was answered that had copies sent after it; 0: never."""
        return max([each.answered or 0.0 for each in self.attempts[-COPIES:-1]])

    @property
    def touched(self) -> bool:
        """Whether a client may try again though it got an answer: something was done to it, or it is not on record."""
        last = self.attempts[-1]
        return last.failed or last.injected or (last.status is None and self.group.signal == SDK_ID)

    def in_flight(self, now: float) -> bool:
        """Whether the last attempt has no answer yet, or one that it is a copy of."""
        last = self.attempts[-1]
        if last.left:
            return False
        if last.answered is None:
            # Who hangs is not answered, and goes on when it likes; of what passes the answer may not be on record.
            return last.did not in BROKEN and last.injected
        return last.answered > now or (len(self.attempts) > 1 and self._copied > now)

    def may_be(self, windows: tuple[CallWindow, ...]) -> bool:
        """Whether an attempt in these call windows may be of this one."""
        return windows == self.windows or any(each in self.windows for each in windows)

    def carries(self, attempt: Attempt) -> bool:
        """Whether an attempt is of the principal and has the body of this call."""
        attempts = self.attempts
        return alike(attempts[0], attempt) or (len(attempts) > 1 and alike(attempts[-1], attempt))


class History:
    """Takes attempts in order of arrival."""

    def __init__(self) -> None:
        self._clients: OrderedDict[Hashable, _Client] = OrderedDict()
        self._begun: OrderedDict[Hashable, OpenCall] = OrderedDict()

    def see(self, attempt: Attempt) -> int:
        """Take the next attempt; its number among those of its client."""
        client = self._client(attempt)
        client.requests += 1
        (client.reads if attempt.method in READING else client.writes).append(attempt)
        return client.requests

    def written(self, before: Attempt, attempt: Attempt) -> bool:
        """Whether a client that was refused has written to that place, or logged in, before it asked again.

        After a 412 it is enough that it has read what it wants to write.
        """
        looks, client = fingerprint(attempt), self._client(attempt)
        if before.status == STALE:
            for each in reversed(client.reads):
                if each.arrived <= before.arrived:
                    break
                if each.path == attempt.path and not each.failed and each is not attempt:
                    return True
        for each in reversed(client.writes):
            if each.arrived <= before.arrived:
                break
            if each is attempt or fingerprint(each) == looks:
                continue
            logs_in = before.status in LOCKED_OUT and each.method == "POST" and not each.failed
            if logs_in or _related(each.path, attempt.path):
                return True
        return False

    def begin(self, open_call: OpenCall, looks: Hashable) -> str | None:
        """Note where a call that has just failed may go on under another id: another key of the caller's own, or of an SDK.

        Args:
            open_call: a call that begins, under an id.
            looks: its fingerprint.

        Returns:
            Why it may be of the call before; None: it is not, for an SDK's ids tell.
        """
        attempt = open_call.attempts[0]
        own = has_own_key(attempt)
        before = self._begun.pop((looks, own), None)
        self._begun[looks, own] = open_call
        if len(self._begun) > CLIENTS:
            self._begun.popitem(last=False)
        if before is None or not before.failed or before.in_flight(attempt.arrived):
            return None
        last = before.attempts[-1]
        wait = attempt.arrived - before.over - (last.hint or 0.0)
        if wait > SOON or not alike(last, attempt):
            return None
        if own:
            before.followed = OTHER_KEY
            return OTHER_KEY
        if not changed(last, attempt) and not (last.kind == "client" and self.written(last, attempt)):
            before.again = wait
        return None

    def _client(self, attempt: Attempt) -> _Client:
        key = attempt.clock, attempt.client, client_of(attempt.user_agent)
        found = self._clients.get(key)
        if found is None:
            found = self._clients[key] = _Client()
            if len(self._clients) > CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(key)
        return found


class _Client:
    """One client."""

    __slots__ = ("reads", "requests", "writes")

    def __init__(self) -> None:
        self.requests = 0
        self.reads: deque[Attempt] = deque(maxlen=WRITES)
        self.writes: deque[Attempt] = deque(maxlen=WRITES)


def is_named(windows: tuple[CallWindow, ...]) -> bool:
    """Whether a test says that there is one call."""
    return len(windows) == 1 and windows[0].name is not None


def _waits(open_call: OpenCall, now: float) -> bool:
    """Whether a call may be tried again now."""
    return (
        open_call.failed
        and not open_call.ended
        and not open_call.in_flight(now)
        and now - open_call.over <= max(WINDOW, 2 * (open_call.attempts[-1].hint or 0.0))
    )


def _soon(open_call: OpenCall, now: float) -> bool:
    """Whether what comes now may be a retry of a call that has failed."""
    return now - open_call.over <= SOON + (open_call.attempts[-1].hint or 0.0)


def _may_be_one_caller(before: Attempt, attempt: Attempt) -> bool:
    return before.principal == attempt.principal or before.seed != attempt.seed


def _sends_other_bytes(open_call: OpenCall, attempt: Attempt) -> bool:
    """Whether what comes after a failure that may pass is a retry with another body; after a refusal it is corrected."""
    last = open_call.attempts[-1]
    return last.kind != "client" and _may_be_one_caller(last, attempt)


def _related(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is above the other."""
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)


def _end(told: CallWindow) -> float:
    return float("inf") if told.ended is None else told.ended


def _remember(memory: OrderedDict[Any, Any], key: Hashable, value: object) -> None:
    """Put it last; the first is forgotten where there are too many."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
