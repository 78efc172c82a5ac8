"""Groups attempts into calls by the labels of a test or the client, or else by fingerprint.

From top to bottom:

1. `with_context` adds to each attempt its call windows and the earlier requests of its client.
2. `group_requests` groups them by target. Attempts with one id of an SDK, or in one window of a driver, belong
   together; otherwise those with one fingerprint, which is client and target. With an id, each attempt is added to
   the latest call that may go on (`_in_a_row`). With a fingerprint alone (`ByFingerprint`), it is added to a failed
   call of the same principal and with the same body or a longer one, unless its client has changed something in
   between. If an attempt may belong to several calls, these are `shared`.
3. The whole journal shows the rest: which calls of an SDK are one call of a driver, which calls follow one another,
   which callers take turns on connections, the results that a test reports, and which calls are over.

All attempts stay in memory, about 1 KB each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from faultinject.audit.matching import (
    alike,
    body_of,
    changed,
    client_of,
    fingerprint,
    goes_on,
    has_own_key,
    invocation,
    is_of_upload,
    length_of,
    marked,
    shorter,
)
from faultinject.audit.statistics import grouped
from faultinject.journal.attempts import BROKEN, Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import FINGERPRINT, RETRY_MARK, SDK_ID, TOLD, Call

WINDOW = 60.0
"""Seconds after which a request with the same fingerprint is no longer a retry."""
LONGEST = 600.0
"""The same limit for a request with the same id, or with a driver's key of one call."""
SHORTEST, UNSEEN = 2.0, 10.0
"""Seconds without a request that end a failed call.

The first is the minimum, the second is for a client that never retried.
"""
SOON = 10.0
"""Seconds after a failure, or its Retry-After, in which a similar request may be a retry."""
POLL = 1.0
"""Seconds after which a repeat of a refused request may be a poll for a change."""
AT_ONCE = 0.02
"""Seconds within which a request on another connection may be another caller's."""
CROWD = 300
"""The number of open calls for one target above which none is judged."""

READING = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing."""
IDEMPOTENT = READING | {"PUT", "DELETE"}
"""Methods whose requests a transport may send again by itself."""
STALE = 412
"""The answer after which a client reads the object again before it writes."""
LOCKED_OUT = (401, 403)
"""Answers after which a client may have to log in, at any address."""

OTHER_BODY, OTHER_KEY, OTHER_CREDENTIAL = "other body", "other key", "other credential"
"""Reasons to doubt that a similar request right after a failure is a retry."""
FOR_EVER = float("inf")


class AttemptInContext(NamedTuple):
    """An attempt with its context.

    Attributes:
        attempt: the attempt.
        fingerprint: its client and target.
        windows: the call windows that it may belong to.
        of_client: all requests of its client, in order of arrival.
        number: its position in `of_client`.
        retry: True if its client marks it as a retry, False if as a first attempt; None: unmarked.
        body: a number for its body; different numbers may still be the same body.
    """

    attempt: Attempt
    fingerprint: Hashable
    windows: tuple[CallWindow, ...]
    of_client: list[Attempt]
    number: int
    retry: bool | None
    body: int


class CallWindows:
    """Call windows, looked up by attempt, while attempts come in order of arrival.

    Args:
        windows: in any order. A window with a key holds the attempts that have the key in their path, once the window
            has begun. Any other window holds the attempts that arrive between its beginning and its end.
    """

    def __init__(self, windows: Iterable[CallWindow]) -> None:
        latest_first = sorted(windows, key=lambda window: window.began)[::-1]
        self._by_key = grouped(latest_first, lambda window: window.key)
        self._coming = self._by_key.pop(None, [])
        self._begun: list[CallWindow] = []

    def of(self, attempt: Attempt) -> tuple[CallWindow, ...]:
        """The windows that an attempt may belong to: the innermost, or all that overlap."""
        for segment in attempt.path.split("/"):
            for window in self._by_key.get(segment, ()):
                if window.began <= attempt.arrived and window.test in (None, attempt.test):
                    return (window,)
        now = attempt.arrived
        while self._coming and self._coming[-1].began <= now:
            self._begun.append(self._coming.pop())
        self._begun = [window for window in self._begun if window.ended is None or window.ended >= now]
        open_windows = [
            window for window in self._begun if window.began <= now and window.test in (None, attempt.test)
        ]
        outer = {began for window in open_windows for began in window.within}
        inner = [window for window in open_windows if window.name is None or window.began not in outer]
        return tuple(
            window
            for window in inner
            if window.name is not None or not any(_inside(other, window) for other in inner)
        )


def _inside(inner: CallWindow, test: CallWindow) -> bool:
    """Whether a call, or another test, lies in the time of a test."""
    ends, end = (FOR_EVER if window.ended is None else window.ended for window in (inner, test))
    return test.began <= inner.began and ends <= end and (inner.began, ends) != (test.began, end)


def group(
    attempts: Iterable[Attempt],
    *,
    driven: bool = False,
    windows: Collection[CallWindow] = (),
    until: float | None = None,
) -> list[Call]:
    """The calls that attempts belong to, by their beginning.

    Args:
        attempts: in order of arrival.
        driven: whether every call has its own key, so that nothing is shared.
        windows: the calls that a test or a driver names; no call crosses their borders.
        until: when the journal was read, seconds of its monotonic clock; by default when the last request came. A
            call that may still get a request after that is not `closed`.
    """
    return group_requests(with_context(attempts, windows), driven=driven, until=until)


def with_context(attempts: Iterable[Attempt], windows: Collection[CallWindow] = ()) -> list[AttemptInContext]:
    """Attempts in order of arrival, each with its context.

    Args:
        attempts: in order of arrival.
        windows: the calls that a test or a driver names.
    """
    call_windows = CallWindows(windows)
    clients: dict[Hashable, list[Attempt]] = {}
    marking: set[str] = set()
    bodies: dict[Hashable, int] = {}
    requests = []
    for attempt in attempts:
        agent, retry = client_of(attempt.user_agent), marked(attempt)
        if retry and invocation(attempt) is None:
            marking.add(agent)
        elif agent in marking:
            retry = False  # a client that marks its retries would have marked this one
        of_client = clients.setdefault((attempt.clock, attempt.client, agent), [])
        requests.append(
            AttemptInContext(
                attempt,
                fingerprint(attempt),
                call_windows.of(attempt),
                of_client,
                number=len(of_client),
                retry=retry,
                body=bodies.setdefault(body_of(attempt), len(bodies)),
            )
        )
        of_client.append(attempt)
    return requests


def group_requests(
    requests: Sequence[AttemptInContext], *, driven: bool = False, until: float | None = None
) -> list[Call]:
    """The calls that requests belong to, by their beginning.

    Args:
        requests: as of `with_context`.
        driven: as for `group`.
        until: as for `group`.
    """
    latest = max((request.attempt.arrived for request in requests), default=0.0)
    until = latest if until is None else max(until, latest)

    # In a named call an SDK may send one request under each of several ids: a layer above the SDK retries,
    # and all are one call. If the SDK retries as well, each id is a call of its own, which shows both layers.
    by_id = grouped(requests, lambda request: (request.fingerprint, invocation(request.attempt)))
    retried_by_sdk = {
        (request.windows, request.fingerprint) for same in by_id.values() if len(same) > 1 for request in same
    }

    def group_key(request: AttemptInContext) -> tuple[str, Hashable]:
        attempt = request.attempt
        sdk_id = invocation(attempt)
        framed = (
            is_named(request.windows)
            and not has_own_key(attempt)
            and (request.windows, request.fingerprint) not in retried_by_sdk
        )
        if sdk_id is not None:
            caller = (request.fingerprint, request.windows) if framed else sdk_id
            return SDK_ID, (caller, attempt.test, attempt.method, attempt.path, attempt.query)
        if driven:
            return TOLD, (request.fingerprint, request.windows)
        return FINGERPRINT, request.fingerprint

    uses = grouped(requests, _connection_of)
    calls: list[OpenCall] = []
    for (by, _), same in grouped(requests, group_key).items():
        if by == FINGERPRINT:
            calls += ByFingerprint(uses).calls(same)
        else:
            calls += _in_a_row(same, SDK_ID if by == SDK_ID else FINGERPRINT)
    calls.sort(key=lambda call: call.first.arrived)
    _link_ids(calls)
    return _all_closed(calls, until)


def _in_a_row(requests: Sequence[AttemptInContext], signal: str) -> list[OpenCall]:
    """The calls of requests with one id, or of one driver's call.

    Each request is added to the latest call that it may belong to.
    """
    calls: list[OpenCall] = []
    running: list[OpenCall] = []
    for request in requests:
        running = [call for call in running if call.may_go_on(request.attempt.arrived)]
        open_call = next((call for call in reversed(running) if _goes_on(call, request)), None)
        if open_call is None:
            open_call = OpenCall(request, signal, single_caller=True)
            calls.append(open_call)
            running.append(open_call)
        else:
            open_call.add(request)
    return calls


def _goes_on(call: OpenCall, request: AttemptInContext) -> bool:
    """Whether a request of one id, or of one driver's call, belongs to the call before.

    If its SDK id differs from that of the call's last request, it belongs to the call only as the retry of a failure.
    """
    last, attempt = call.last, request.attempt
    sdk_id = invocation(attempt)
    if invocation(last) != sdk_id:
        return _failed_alike(call, request) and _asks_again(call, request)
    if sdk_id is not None:
        return True
    # Without ids, a request for another part after a failure belongs to another call. If a write came between a
    # refusal and the request, the answer may have changed, so the request belongs to another call, too.
    again = attempt.part in (call.first.part, last.part) or goes_on(last, attempt)
    return (again or not last.failed) and not _may_succeed_after_refusal(call, request)


def _may_succeed_after_refusal(call: OpenCall, request: AttemptInContext) -> bool:
    """Whether the call was refused, and a write, login or read since may change that."""
    return call.last.kind == "client" and may_succeed_now(call.requests[-1], request)


def _failed_alike(call: OpenCall, request: AttemptInContext) -> bool:
    """Whether a call failed before a request for the same part, with the same body if known.

    After a 200 with errors in it, the body may be shorter: it may hold only the keys that failed. If an SDK does not
    rewind a body, its retries send less than its first attempt, so the body of the first attempt also counts.
    """
    last, attempt = call.last, request.attempt
    over = call.retry_possible_from < FOR_EVER and call.over <= attempt.arrived
    is_rest = last.kind == "hidden" and shorter(attempt, last) and _may_be_one_caller(last, attempt)
    return (
        over
        and last.failed
        and (is_rest or alike(last, attempt) or (call.signal == SDK_ID and alike(call.first, attempt)))
    )


def _asks_again(call: OpenCall, request: AttemptInContext) -> bool:
    """Whether a request asks for the same as the failed call, and nothing was written since."""
    return not changed(call.last, request.attempt) and not _may_succeed_after_refusal(call, request)


class ByFingerprint:
    """Groups requests with one fingerprint into calls, by principal, body and time.

    Args:
        uses: all requests of the journal by client and connection.
    """

    def __init__(self, uses: Mapping[Hashable, Sequence[AttemptInContext]]) -> None:
        self._uses = uses
        self._open: list[OpenCall] = []
        # One attempt of each body that several calls may have sent; and pairs of a first attempt and a shorter one
        # that was added to its call.
        self._ambiguous_bodies: list[Attempt] = []
        self._guesses: list[tuple[Attempt, Attempt]] = []
        self._too_many = False
        self._resumes_at = -FOR_EVER

    def calls(self, requests: Iterable[AttemptInContext]) -> list[OpenCall]:
        """Group requests into calls; calls that cannot be distinguished are marked as shared."""
        calls: list[OpenCall] = []
        for request in requests:
            open_call, follows = self._find(request)
            if open_call is None:
                open_call = OpenCall(request, FINGERPRINT, single_caller=False, follows=follows)
                self._open.append(open_call)
                calls.append(open_call)
            else:
                open_call.add(request)
            if request.retry is not None:
                open_call.signal = RETRY_MARK
        interleaved = self._interleaved(calls)
        crowd = len(interleaved) > CROWD
        for call in calls:
            call.shared = self._too_many or _is_one_of(self._ambiguous_bodies, call.first)
            call.crossed = not call.shared and (
                (crowd and not is_named(call.windows)) or _is_one_of(interleaved, call.first)
            )
        return calls

    def _share(self, attempt: Attempt) -> None:
        """Mark the calls with this request's body as shared."""
        if not _is_one_of(self._ambiguous_bodies, attempt):
            self._ambiguous_bodies.append(attempt)

    def _interleaved(self, calls: Iterable[OpenCall]) -> list[Attempt]:
        """Find the bodies of calls whose attempts interleave on connections: there were two callers.

        One attempt stands for each body. The search ends at more than `CROWD` bodies: then all calls are doubted.
        """
        interleaved: list[Attempt] = []
        for call in calls:
            if len(interleaved) > CROWD:
                break
            interleaves = not is_named(call.windows) and any(
                _interleave(one.attempt, other.attempt, self._uses) for one, other in pairwise(call.requests)
            )
            if interleaves and not _is_one_of(interleaved, call.first):
                interleaved.append(call.first)
        return interleaved

    def _find(self, request: AttemptInContext) -> tuple[OpenCall | None, str | None]:
        """The call that a request goes on with.

        Args:
            request: the request.

        Returns:
            The call; or None, and the reason why the request may belong to an earlier call (`Call.follows`), if any.
        """
        attempt, windows, retry = request.attempt, request.windows, request.retry
        now = attempt.arrived
        if now < self._resumes_at:
            return None, None
        self._open = [call for call in self._open if call.may_go_on(now)]
        # Most windows are equal; comparing them first saves a method call for each of hundreds of calls.
        in_windows = [call for call in self._open if call.windows == windows or call.may_be_in(windows)]
        if len(in_windows) > CROWD or len(self._ambiguous_bodies) > CROWD:
            # To compare each with all others would take too long. Grouping begins again when none of them can
            # go on.
            self._too_many, self._open, self._resumes_at = True, [], now + WINDOW
            return None, None
        # The number of the body, or its length, decides most cases cheaply: hundreds of calls may be open.
        length = length_of(attempt)
        same = [
            call
            for call in in_windows
            if call.body == request.body
            or ((length is None or call.length in (length, None)) and call.carries(attempt))
        ]
        failed = [call for call in in_windows if call.retry_possible_from <= now and call.waits]
        waiting = [call for call in same if call.retry_possible_from <= now and call.waits]
        running = next((call for call in reversed(same) if call.retry_possible_from > now), None)
        named = is_named(windows)
        if (running or len(waiting) > 1) and not (named and all(call.windows == windows for call in same)):
            self._share(attempt)
        if named and running:
            # A test says that there is one call: then this is a copy of a slow request, also if the client
            # marks retries.
            return running, None
        if retry is False and not any(self._may_be_resent(call.last, attempt) for call in waiting):
            return None, None
        open_call = None if same else self._with_other_bytes(request, failed)
        if open_call is None:
            self._doubt_guesses(attempt, whole=bool(same))
            if not waiting:
                return None, _follow(attempt, failed)
            used = _connection_of(request)
            # In one named call a retry belongs to the SDK's latest call: its earlier calls have given up.
            latest = waiting[::-1] if named else waiting
            open_call = next(
                (call for call in latest if _connection_of(call.requests[-1]) == used), latest[0]
            )
        last = open_call.last
        if retry is None and last.kind == "client":
            if changed(last, attempt) or may_succeed_now(open_call.requests[-1], request):
                open_call.ended = True
                return None, None
        elif retry is None and changed(last, attempt):
            open_call.ended, open_call.followed = True, OTHER_CREDENTIAL
            return None, OTHER_CREDENTIAL
        return open_call, None

    def _may_be_resent(self, before: Attempt, after: Attempt) -> bool:
        """Whether a transport may have sent the request again, which adds no mark of a retry."""
        used = self._uses[before.client, before.connection][0].attempt.arrived < before.arrived
        return used and is_resent(before, after, AT_ONCE)

    def _with_other_bytes(self, request: AttemptInContext, failed: Sequence[OpenCall]) -> OpenCall | None:
        """Find the failed call that a request with other bytes retries, if there is only one.

        By fingerprint alone, the request must send fewer bytes: of a body that was read and not rewound, only the rest
        is sent.

        Args:
            request: the request.
            failed: the failed calls that it may be of.
        """
        attempt = request.attempt
        if len(failed) != 1 or not _may_be_one_caller(failed[0].last, attempt):
            return None
        [call] = failed
        # After a transient failure this is a retry with another body; after a refusal the body was corrected.
        # A part of an upload has one owner, whoever else writes to the object.
        is_told = is_named(request.windows) and call.windows == request.windows
        if (is_told or is_of_upload(attempt)) and call.last.kind != "client":
            return None if _is_other_part(call.first, attempt) else call
        if not shorter(attempt, call.first):
            return None
        if _is_one_of(self._ambiguous_bodies, attempt):  # another call had that body
            self._share(call.first)
        else:
            self._guesses.append((call.first, attempt))
        return call

    def _doubt_guesses(self, attempt: Attempt, *, whole: bool) -> None:
        """Mark calls as shared if a shorter body, which was added to them, may be of another call.

        A client that sends a third body may have sent the other two for different calls. If the client sends the whole
        body again, it rewinds bodies before a retry: the shorter body was not a retry but another call's, unless it was
        empty.

        Args:
            attempt: the request that has come.
            whole: whether it has the body of a call that may go on.
        """
        for first, second in self._guesses[:]:
            if not whole or (second.request_bytes and alike(first, attempt) and not alike(second, attempt)):
                self._guesses.remove((first, second))
                self._share(first)
                self._share(second)


class OpenCall:
    """A call that may go on.

    Args:
        request: its first request.
        signal: the signal that groups its requests.
        single_caller: whether one caller certainly made them all.
        follows: the reason why it may belong to the call before.

    Attributes:
        requests: its requests so far, in order of arrival.
        first: its first attempt.
        body: the number of the first attempt's body.
        length: the length of all its bodies; None if they differ, or it is not known.
        last: its last attempt so far.
        windows: the call windows that it may belong to.
        shared: whether some of its attempts may belong to another call.
        crossed: whether only the connections suggest that some of its attempts belong to another call.
        followed: why the next request with its fingerprint was not added to it, as in `Call`.
        again: as in `Call`.
        ended: whether later requests cannot belong to it.
        last_answered: the time of the last answer to any of its attempts; minus infinity without one.
        retry_possible_from: the time at which its last attempt, or one that it copies, is answered; infinity: it hangs;
            minus infinity: the client left, or no answer was recorded.
        until: the time after which no request can belong to it.
    """

    def __init__(
        self, request: AttemptInContext, signal: str, *, single_caller: bool, follows: str | None = None
    ) -> None:
        self.requests: list[AttemptInContext] = []
        self.first = request.attempt
        self.body = request.body
        self.length = length_of(self.first)
        self.signal = signal
        self.single_caller = single_caller
        self.windows = request.windows
        self.shared = self.crossed = False
        self.followed: str | None = None
        self.follows = follows
        self.again: float | None = None
        self.ended = False
        self.last_answered = -FOR_EVER
        self.add(request)

    def add(self, request: AttemptInContext) -> None:
        """Add an attempt."""
        self.requests.append(request)
        last = self.last = request.attempt
        if self.signal == SDK_ID and invocation(last) != invocation(self.first):
            self.signal = TOLD
        if length_of(last) != self.length:
            self.length = None
        if self.windows != request.windows:
            self.windows = tuple(window for window in self.windows if window in request.windows)
        if last.answered is not None:
            self.last_answered = max(self.last_answered, last.answered)
        # A hanging request gets no answer and may end at any time; the answer to a passed one may not be
        # recorded.
        hangs = last.answered is None and last.did not in BROKEN and last.injected
        self.retry_possible_from = FOR_EVER if hangs else self.last_answered
        if last.left or (last.answered is None and not hangs):
            self.retry_possible_from = -FOR_EVER
        # A client may also retry after a success that a fault had changed, or that was not recorded.
        may_be_retried = last.failed or last.injected or (last.status is None and self.signal == SDK_ID)
        self.until = self.over + self.patience if may_be_retried else self.retry_possible_from

    def may_go_on(self, now: float) -> bool:
        """Whether a request at that time may be of this call."""
        return self.until > now and not (
            # A window with a key holds all requests that have the key, at any time.
            self.windows
            and all(
                window.key is None and window.ended is not None and window.ended < now
                for window in self.windows
            )
        )

    @property
    def over(self) -> float:
        """The time of the last answer, or of the last request."""
        return (
            self.last_answered
            if self.last.answered is not None
            else max(self.last_answered, self.last.arrived)
        )

    @property
    def waits(self) -> bool:
        """Whether it may be retried once it is answered."""
        return self.last.failed and not self.ended

    @property
    def patience(self) -> float:
        """Seconds after which a request with its fingerprint does not belong to it."""
        if self.single_caller and not has_own_key(self.first):  # some callers send one key with every request
            return LONGEST
        return max(WINDOW, 2 * (self.last.hint or 0.0))

    def may_be_in(self, windows: tuple[CallWindow, ...]) -> bool:
        """Whether an attempt in these call windows may belong to this call."""
        return windows == self.windows or any(window in self.windows for window in windows)

    def carries(self, attempt: Attempt) -> bool:
        """Whether an attempt has the principal and the body of this call."""
        return alike(self.first, attempt) or (len(self.requests) > 1 and alike(self.last, attempt))


def may_succeed_now(before: AttemptInContext, request: AttemptInContext) -> bool:
    """Whether a refused client wrote to that place, or logged in, before it asked again.

    After a 412 it is enough that the client has read the object. In a call with a key, only requests with that key
    count.
    """
    refusal, attempt = before.attempt.status, request.attempt
    key = request.windows[0].key if is_named(request.windows) else None
    for between in request.of_client[before.number + 1 : request.number]:
        if key is not None and key not in between.path.split("/"):
            continue
        if between.method in READING:
            if refusal == STALE and between.path == attempt.path and not between.failed:
                return True
        elif fingerprint(between) != request.fingerprint:
            logs_in = refusal in LOCKED_OUT and between.method == "POST" and not between.failed
            if logs_in or _related(between.path, attempt.path):
                return True
    return False


def is_resent(before: Attempt, after: Attempt, within: float) -> bool:
    """Whether an idempotent request came again on another connection soon after a lost one.

    RFC 9112, 9.3.1, lets a transport do so if the connection had been used before.
    """
    lost = before.kind == "transport" and before.status is None and before.answered is not None
    other = before.connection != after.connection and after.method in IDEMPOTENT
    return lost and other and after.arrived - (before.answered or 0.0) < within


def is_named(windows: tuple[CallWindow, ...]) -> bool:
    """Whether a test says that the attempt belongs to one call."""
    return len(windows) == 1 and windows[0].name is not None


def _follow(attempt: Attempt, failed: Sequence[OpenCall]) -> str | None:
    """Note which failed calls a request with another body may belong to."""
    follows = None
    for call in failed:
        last = call.last
        if not _may_be_one_caller(last, attempt) or _is_other_part(call.first, attempt):
            continue
        if last.kind == "client" and changed(last, attempt):
            call.ended = True
        elif attempt.arrived - call.over <= SOON + (last.hint or 0.0):
            call.followed = follows = OTHER_BODY
    return follows


def _link_ids(calls: Sequence[OpenCall]) -> None:
    """Note failed calls that may go on under another key of the caller, or another SDK id.

    If an SDK marks its retries, each request without a mark begins a call. In a named call, all of these have one
    caller.
    """
    begun: dict[Hashable, OpenCall] = {}
    for call in calls:
        marks = call.signal == RETRY_MARK and is_named(call.windows)
        if call.signal != SDK_ID and not marks:
            continue
        asked = call.requests[0].fingerprint, has_own_key(call.first)
        before = begun.get(asked)
        begun[asked] = call
        # A request in another named call, or another run of a test, comes from the caller, not from a retry.
        if (
            before is None
            or not _failed_alike(before, call.requests[0])
            or _are_of_two_windows(before.windows, call.windows)
        ):
            continue
        wait = call.first.arrived - before.over - (before.last.hint or 0.0)
        if wait > SOON:
            continue
        if has_own_key(call.first):
            before.followed = call.follows = OTHER_KEY
        elif _asks_again(before, call.requests[0]):
            before.again = wait


def _are_of_two_windows(one: Sequence[CallWindow], other: Sequence[CallWindow]) -> bool:
    """Whether two calls have no window in common, and so come from two calls, tests or runs.

    A window with a key may hold requests at any time, so such windows do not show it.
    """
    keyless = all(window.key is None for window in (*one, *other))
    return bool(one or other) and keyless and {*one}.isdisjoint(other)


def _connection_of(request: AttemptInContext) -> Hashable:
    return request.attempt.client, request.attempt.connection


def _is_other_part(one: Attempt, other: Attempt) -> bool:
    """Whether the two attempts are for different parts."""
    return None not in (one.part, other.part) and one.part != other.part


def _interleave(before: Attempt, after: Attempt, uses: Mapping[Hashable, Sequence[AttemptInContext]]) -> bool:
    """Whether a request came at once on another connection, and the previous one was used again."""
    if (
        before.answered is None
        or after.arrived - before.answered >= AT_ONCE
        or before.did in BROKEN
        or None in (before.connection, after.connection)
        or before.connection == after.connection
    ):
        return False
    same = uses[before.client, before.connection]
    place = bisect_right(same, after.arrived, key=lambda request: request.attempt.arrived)
    return place < len(same) and same[place].attempt.arrived - before.arrived <= WINDOW


def _takes_turns(requests: Sequence[AttemptInContext]) -> bool:
    """Whether requests on several connections took turns, which shows several callers."""
    turns = [connection for connection, _ in groupby(request.attempt.connection for request in requests)]
    return None not in turns and len(set(turns)) < len(turns)


def _all_closed(calls: Sequence[OpenCall], until: float) -> list[Call]:
    """Close the calls, and add the results that a test or a driver has reported."""
    longest: dict[str, float] = {}
    last_of: dict[CallWindow, OpenCall] = {}
    for call in calls:
        agent = client_of(call.first.user_agent)
        for one, other in pairwise(call.requests):
            before = one.attempt
            # A client that waits for a change after a refusal may do so for long.
            if before.answered is not None and before.kind != "client":
                longest[agent] = max(other.attempt.arrived - before.answered, longest.get(agent, 0.0))
        if len(call.windows) == 1:
            [window] = call.windows
            last_of[window] = max(last_of.get(window, call), call, key=lambda call: call.last.arrived)
    return [_closed(call, until, longest, last_of) for call in calls]


def _closed(
    call: OpenCall, until: float, longest: dict[str, float], last_of: dict[CallWindow, OpenCall]
) -> Call:
    """Close one call.

    Args:
        call: the call.
        until: the time at which the journal was read.
        longest: the longest wait of each client.
        last_of: the last call in each call window, to which the window's result belongs.
    """
    windows = call.windows
    wait = longest.get(client_of(call.first.user_agent))
    if call.retry_possible_from == FOR_EVER:
        over = FOR_EVER
    elif not call.last.failed:
        over = -FOR_EVER
    else:
        quiet = UNSEEN if wait is None else max(SHORTEST, 2 * wait)
        over = call.over + min(quiet + (call.last.hint or 0.0), call.patience)
    closed = over <= until and over < FOR_EVER
    if windows:
        # The end of a test closes its calls; the end of a named call closes that call.
        ended = all(window.ended is not None for window in windows)
        closed = ended or (closed and all(window.name is None for window in windows))
    # If windows overlap, only a request in the time of a single window shows to which of them the call belongs.
    certain = any(request.windows == windows for request in call.requests)
    window = windows[0] if len(windows) == 1 and certain else None
    of_call = window if window and (window.key is not None or window.name is not None) else None
    heard = window if window and last_of[window] is call else None
    signal = TOLD if of_call and call.signal != SDK_ID else call.signal
    took_turns = not call.shared and signal == FINGERPRINT and _takes_turns(call.requests)
    return Call(
        [request.attempt for request in call.requests],
        signal,
        closed=closed,
        shared=call.shared or call.crossed,
        crossed=call.crossed or took_turns,
        cut=marked(call.first) is True,
        name=window.name if window else None,
        returned=heard.returned if heard else None,
        error=heard.error if heard else None,
        alone=call.requests[-1].number - call.requests[0].number == len(call.requests) - 1,
        followed=call.followed,
        follows=call.follows,
        again=call.again,
        window=of_call,
        windows=windows,
        over=over,
    )


def _is_one_of(bodies: Iterable[Attempt], attempt: Attempt) -> bool:
    return any(alike(body, attempt) for body in bodies)


def _may_be_one_caller(before: Attempt, attempt: Attempt) -> bool:
    return before.principal == attempt.principal or before.seed != attempt.seed


def _related(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is above the other."""
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)
