"""Attempts are joined to calls: by the client's own id, by its marks, else by their looks."""

from __future__ import annotations

from collections import OrderedDict

from faultinject.audit.call_groups import AT_ONCE, CROWD, WINDOW, CallGroup, OpenCall, is_named
from faultinject.audit.clients import client_of
from faultinject.audit.history import History
from faultinject.audit.matching import fingerprint, invocation, marked
from faultinject.audit.windows import Windows
from faultinject.journal.attempts import BROKEN
from faultinject.journal.calls import FINGERPRINT, RETRY_MARK, SDK_ID, TOLD, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable
    from typing import Any

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow

REMEMBERED = 2_000
"""How many of the keys, connections and clients that are gone are remembered."""
MANY = 10_000
"""Attempts after which a call is told, though it goes on: what comes then is a call whose beginning is missing."""
LONGEST = 600.0
"""Seconds after which a call is over, however long its client's waits are."""
SHORTEST, UNSEEN = 2.0, 10.0
"""Seconds of quiet after which a call is over when its journal ends: the least, and of a client that never retried."""


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
        self._windows = Windows(told) if told else None
        self._running: dict[CallWindow, dict[OpenCall, None]] = {each: {} for each in told}
        ending = [each for each in told if each.key is None and each.ended is not None]
        self._ending = sorted(ending, key=_end, reverse=True)
        self._lanes: dict[Hashable, CallGroup] = {}
        # Those in which all is well, and those in which a call may be tried again; the longest untouched first.
        self._well: OrderedDict[Hashable, CallGroup] = OrderedDict()
        self._waiting: OrderedDict[Hashable, CallGroup] = OrderedDict()
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
        self._pass(now)
        if self._suspects:
            self._lives_on(attempt)
        windows = () if self._windows is None else self._windows.of(attempt)
        looks = looks or fingerprint(attempt)
        lane, retry = self._lane(attempt, looks)
        number = self._history.see(attempt)
        follows = None
        if lane.signal == SDK_ID:
            found = lane.by_id(now, retry=retry)
        elif self._driven and (windows or attempt.key is not None):
            found = lane.by_driver(windows, now)
        else:
            found, follows = lane.by_looks(attempt, windows, retry, self._history.written)
        endless = found is not None and len(found.attempts) >= MANY
        if found is not None and endless:
            lane.running.remove(found)
            self._out(found, closed=True)
        if found is None or endless:
            running = OpenCall(attempt, lane, windows, cut=endless or retry is True, number=number)
            if lane.signal == SDK_ID:
                follows = self._history.begin(running, looks)
            running.follows = follows
            lane.running.append(running)
            for each in windows:
                self._running[each][running] = None
        else:
            self._go_on(found, attempt, windows, number)
        self._keep(lane, now)

    def end(self, until: float | None = None) -> None:
        """Tell the calls that are left; those that may go on are not `closed`.

        Args:
            until: when the journal was read, seconds of its monotonic clock; by default when the last request came.
        """
        until = self._latest if until is None else max(until, self._latest)
        for told in list(self._running):
            self._finish(told)
        for lane in list(self._lanes.values()):
            self._drop(lane, until)
        self._suspects.clear()

    def awaited(self) -> list[float]:
        """When each call under way that would count must be over, seconds; infinity where an answer is not there yet.

        Ask before `end`.
        """
        found = []
        for lane in self._lanes.values():
            for each in lane.running:
                if each.cut or lane.doubts(each.attempts[0]):
                    continue
                if each.flies(float("inf")):
                    found.append(float("inf"))
                elif each.failed:
                    found.append(each.over + self._quiet(each))
        return found

    def _lane(self, attempt: Attempt, looks: Hashable) -> tuple[CallGroup, bool | None]:
        """The lane of an attempt, and whether it says that it is a retry, or that it is none."""
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
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._gone.pop(key, None) or CallGroup(key, signal, own=self._driven or own is not None)
            self._lanes[key] = lane
        if retry is not None and own is None:
            lane.signal = RETRY_MARK
        return lane, retry

    def _go_on(
        self, running: OpenCall, attempt: Attempt, windows: tuple[CallWindow, ...], number: int
    ) -> None:
        """Add an attempt to a call."""
        before, lane = running.attempts[-1], running.lane
        running.add(attempt, number)
        running.windows = tuple(each for each in running.windows if each in windows)
        if before.answered is None:
            return
        gap = attempt.arrived - before.answered
        agent = client_of(attempt.user_agent)
        _remember(self._longest, agent, max(gap, self._longest.get(agent, 0.0)))
        self._patience = max(self._patience, min(2 * gap, LONGEST))
        if (
            gap < AT_ONCE
            and not (lane.own or lane.crowded or before.did in BROKEN or is_named(running.windows))
            and None not in (before.connection, attempt.connection)
            and before.connection != attempt.connection
        ):
            _remember(self._suspects, (before.client, before.connection), (lane, before))

    def _lives_on(self, attempt: Attempt) -> None:
        """A connection is used on, and for what came on it another one was used at once: there were two callers."""
        found = self._suspects.pop((attempt.client, attempt.connection), None)
        if found is not None:
            lane, before = found
            if attempt.arrived - before.arrived <= WINDOW:
                lane.cross(before)

    def _keep(self, lane: CallGroup, now: float) -> None:
        """Tell what is over in a lane that was just used, and put it where it is looked after in time."""
        if len(lane.running) > CROWD and not lane.own:
            lane.crowd()
            for each in lane.running[: CROWD // 2]:
                self._out(each, closed=False)
            del lane.running[: CROWD // 2]
        running, lane.running = lane.running, []
        waits = False
        for each in running:
            touched = each.touched
            if (touched and now - each.over <= self._patience) or each.flies(now):
                lane.running.append(each)
                waits = waits or touched
            else:
                self._out(each, closed=True)
        lane.touched = now
        into, other = (self._waiting, self._well) if waits else (self._well, self._waiting)
        other.pop(lane.key, None)
        into.pop(lane.key, None)
        into[lane.key] = lane

    def _pass(self, now: float) -> None:
        """Tell what is over by now."""
        while self._ending and _end(self._ending[-1]) < now:
            self._finish(self._ending.pop())
        for lanes, patience in ((self._well, 0.0), (self._waiting, self._patience)):
            while lanes:
                lane = next(iter(lanes.values()))
                running = lane.running
                # No call is over before its last request came: most lanes need no closer look.
                if (running[-1].attempts[-1].arrived if running else lane.touched) + patience >= now:
                    break
                if not running:
                    last = lane.touched
                else:
                    last = running[0].over if len(running) == 1 else max(each.over for each in running)
                if last + patience < now:
                    self._drop(lane)
                    continue
                if now - lane.touched > patience + 1:
                    # Its answer takes long: it must not keep back those behind it.
                    lanes.move_to_end(lane.key)
                break

    def _drop(self, lane: CallGroup, until: float | None = None) -> None:
        """Tell the calls of a lane that is used no more, or whose journal has ended."""
        for each in lane.running:
            self._out(each, closed=self._closed(each, until))
        for lanes in (self._lanes, self._well, self._waiting):
            lanes.pop(lane.key, None)
        lane.running.clear()
        if lane.crowded or lane.mixed or lane.crossing or lane.made:
            _remember(self._gone, lane.key, lane)

    def _closed(self, running: OpenCall, until: float | None) -> bool:
        """Whether nothing more can come; `until` is None where nothing came for as long as anybody waits."""
        if running.flies(float("inf")):
            return False
        if until is None or not running.failed:
            return True
        return until - running.over >= self._quiet(running)

    def _quiet(self, running: OpenCall) -> float:
        """Seconds without a request after which a failed call of that client is over."""
        longest = self._longest.get(client_of(running.attempts[0].user_agent))
        quiet = UNSEEN if longest is None else max(SHORTEST, 2 * longest)
        return quiet + (running.attempts[-1].hint or 0.0)

    def _finish(self, told: CallWindow) -> None:
        """Tell the calls of a told call that has ended, or whose journal has."""
        found = [each for each in self._running.pop(told) if told in each.windows]
        own = [each for each in found if len(each.windows) == 1]
        last = max(own, key=lambda each: each.attempts[-1].arrived, default=None)
        named = told.key is not None or told.name is not None
        for each in found:
            if any(other in self._running for other in each.windows):
                continue
            if each in each.lane.running:
                each.lane.running.remove(each)
            for other in each.windows:
                self._running.get(other, {}).pop(each, None)
            call = self._made(each, closed=all(other.ended is not None for other in each.windows))
            if each in own:
                call.name = told.name
                if named and call.signal != SDK_ID:
                    call.signal = TOLD
            if each is last:
                call.returned, call.error = told.returned, told.error
            self._tell(call)

    def _out(self, running: OpenCall, *, closed: bool) -> None:
        """Tell a call; one that a test or a driver has a name for is told when that has ended."""
        if all(each.name is None for each in running.windows):
            for each in running.windows:
                self._running.get(each, {}).pop(running, None)
            self._tell(self._made(running, closed=closed))

    def _made(self, running: OpenCall, *, closed: bool) -> Call:
        lane = running.lane
        doubtful = lane.doubts(running.attempts[0])
        call = Call(
            running.attempts,
            lane.signal,
            closed=closed,
            shared=doubtful,
            crossed=doubtful and lane.crosses(running.attempts[0]),
            cut=running.cut,
            alone=running.alone,
            followed=running.followed,
            follows=running.follows,
            again=running.again,
        )
        if not (lane.own or (call.shared and not call.crossed)) and (
            running.touched or len(running.attempts) > 1
        ):
            lane.made.append(call)
            if len(lane.made) > REMEMBERED:
                del lane.made[: REMEMBERED // 2]
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


def _end(told: CallWindow) -> float:
    return float("inf") if told.ended is None else told.ended


def _remember(memory: OrderedDict[Any, Any], key: Hashable, value: object) -> None:
    """Put it last; the first is forgotten where there are too many."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
