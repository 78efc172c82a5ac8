"""The app's own answer: noted, late, edited, or changed piece by piece.

An adapter calls `head` when the app begins its answer, and, if a filter changes the body, `feed` with each piece. Both
return steps for the adapter.
"""

from __future__ import annotations

from faultinject.engine.actions import Forward
from faultinject.engine.answers import Respond, guarded, marked
from faultinject.engine.entry import Entry, Injection
from faultinject.engine.filters import BreakOff, Filter, Rest
from faultinject.engine.plan import Plan
from faultinject.engine.request import BodySummary, Request
from faultinject.engine.steps import (
    AppAnswer,
    ClientLeft,
    Cut,
    Hold,
    Look,
    Part,
    Pause,
    Reach,
    RunApp,
    Steps,
    Wait,
)
from faultinject.http.wire import Headers, has_no_body, length_of

SOONEST = 0.05
"""Seconds after which a client may have left; before that no adapter has to check."""


class NotedAnswer(RunApp):
    """An answer that is noted when it begins.

    Args:
        entry: the request's entry in the journal.
        did: the action to record, a value of `Did`.
    """

    def __init__(self, entry: Entry, did: str) -> None:
        super().__init__()
        self._entry = entry
        self._did = did

    def head(self, app_answer: AppAnswer) -> Steps:
        """Note the answer."""
        self.begun = True
        self._entry.note_answer(app_answer.status or "", app_answer.headers)
        yield from look(self._entry)
        self._entry.write(self._did, applied=True)

    def returned(self) -> None:
        """Note that a WSGI app has returned before it began its answer.

        A generator begins only when the server reads its first piece.
        """
        self._entry.write(self._did, answered=False, applied=True, last=False)


class UndoneAnswer(RunApp):
    """The app's answer in place of a fault that cannot be given.

    Args:
        injection: the fault under way.
        did: the action to record, a value of `Did`.
    """

    def __init__(self, injection: Injection, did: str) -> None:
        super().__init__()
        self._injection = injection
        self._did = did

    def head(self, app_answer: AppAnswer) -> Steps:
        """Undo the fault: return its count."""
        if not self.begun:
            self.begun = True
            self._injection.undo(self._did, status=app_answer.status)
            self._injection.finish()
        return
        yield


class ForwardedAnswer(RunApp):
    """An answer that is late, or whose head is edited.

    Args:
        plan: the plan that decided.
        action: the decision.
        injection: the fault under way.
        pause: a wait in the middle of the request's body, or None.
    """

    def __init__(self, plan: Plan, action: Forward, injection: Injection, pause: Pause | None) -> None:
        super().__init__(hidden=() if action.filter is None else action.filter.hidden, pause=pause)
        self._plan = plan
        self._action = action
        self._injection = injection
        self._edits = False

    def head(self, app_answer: AppAnswer) -> Steps:
        """Wait if the delay comes after the app has run, and edit the head."""
        if not self.begun:
            self.begun = True
            if self._action.after:
                self._action.entry.left = not (yield Wait(self._action.delay))
            yield from self._settle(app_answer)
            self._injection.finish()
        if self._edits:
            self.headers = self._edited(app_answer)

    def _settle(self, app_answer: AppAnswer) -> Steps:
        """Note the fault, or that there was nothing to change."""
        services, entry, change, pause = (
            self._plan.services,
            self._action.entry,
            self._action.filter,
            self.pause,
        )
        headers = app_answer.headers if change is None else change.head(app_answer.status, app_answer.headers)
        if pause is not None:
            pause.due = False
        if (change is not None and not change.touched) or (pause is not None and not pause.done):
            undone = "nothing_to_cut" if change is None else change.undone
            self._injection.undo(undone, status=app_answer.status)
            return
        self._edits = change is not None or services.marked
        unchanged = change is None and pause is None
        if services.record_all or not unchanged:
            entry.note_answer(app_answer.status, headers)
            if unchanged:
                yield from look(entry)
            self._injection.give(self._action.did)

    def _edited(self, app_answer: AppAnswer) -> Headers:
        services, change, headers = self._plan.services, self._action.filter, app_answer.headers
        if change is not None:
            # The rule changes the guards too, if it names them.
            headers = change.head(app_answer.status, guarded(headers) if services.guarded else headers)
        return marked(headers, self._action.entry.rule or "") if services.marked else headers


class FilteredAnswer(RunApp):
    """An answer, the app's or one of ours, whose body goes through a filter.

    Args:
        plan: the plan that decided.
        request: the view of the request.
        action: the decision.
        injection: the fault under way.
        body: the summary of the request's body.

    Attributes:
        passes: whether the filter has nothing to change, so that the answer is sent unchanged.
        over: whether no more is sent.
        filter: the filter.
    """

    def __init__(
        self,
        plan: Plan,
        request: Request,
        action: Forward | Respond,
        injection: Injection,
        body: BodySummary | None = None,
    ) -> None:
        super().__init__()
        assert action.filter is not None
        self.filter = action.filter
        self.passes = self.over = False
        self._plan = plan
        self._request = request
        self._action = action
        self._injection = injection
        self._body = body
        self._reach = Reach.CONNECTION
        self._did = self.filter.did
        self._length: int | None = None
        self._sent = 0
        self._first_due: float | None = None
        self._looked = not (self.filter.cuts or self.filter.slow)

    def head(self, app_answer: AppAnswer, first: bytes = b"") -> Steps:
        """Begin the answer.

        The answer gets our mark only if the filter will change it: the Content-Length shows that, or without one the
        first piece.

        Args:
            app_answer: its head.
            first: its first piece that is not empty; empty if there is none.
        """
        services, headers = self._plan.services, app_answer.headers
        has_length = length_of(headers) is not None
        if not can_filter(self._request, self._action, self.filter, app_answer) or not (first or has_length):
            self._pass()
            return
        if services.guarded and not self.filter.whole:
            headers = guarded(headers)
        if services.marked and (has_length or self.filter.begins_with(first)):
            headers = marked(headers, self._action.entry.rule or "")
        yield from self.hold(headers)
        self.headers = headers

    def hold(self, headers: Headers) -> Steps:
        """Get access to the connection if the filter needs it.

        Args:
            headers: the headers that are sent after this.
        """
        self.begun = True
        self._length = length_of(headers)
        if not self._looked:
            self._reach = yield Hold()
        if self.filter.how is not None and self._reach is not Reach.CONNECTION:
            self._did = "raised" if self._reach is Reach.IN_PROCESS else "closed"

    def look(self) -> Steps:
        """Check once whether the client has left; if so, raise `ClientLeft`."""
        if not self._looked:
            self._looked = True
            if (yield Look()):
                raise ClientLeft

    def feed(self, piece: bytes, *, more: bool) -> Steps:
        """Filter a piece, and send each part when it is due."""
        try:
            yield from self.look()
            for event in self.filter.feed(piece, more=more):
                if isinstance(event, Rest):
                    # A client in this process gets its time-out error at once, without a wait.
                    if not (self.filter.hangs and self._reach is Reach.IN_PROCESS):
                        yield from self._wait(event.seconds)
                elif isinstance(event, BreakOff):
                    yield from self._cut()
                else:
                    if event.due is not None:
                        now = self._plan.services.monotonic()
                        self._first_due = now if self._first_due is None else self._first_due
                        yield from self._wait(self._first_due + event.due - now)
                    yield self._part(event.data, more=event.more)
            if self.filter.over:
                self._injection.finish()
            if not more:
                self.end()
        except BaseException as error:
            self.leave(error)
            if not isinstance(error, ClientLeft):
                raise

    def end(self) -> None:
        """Note that the app has ended."""
        if not self.begun:
            self._pass()
        self._settle("nothing_to_cut")
        self._finish()

    def app_ended(self) -> None:
        """Note that the app has ended, perhaps by an error; a fault that has begun counts as given."""
        if self.filter.touched:
            self._settle("app_failed")

    def leave(self, error: BaseException) -> None:
        """Note that nobody reads the rest of the answer."""
        if self.begun:
            self._settle("failed")
        elif isinstance(error, ClientLeft):
            self._injection.undo("failed", left=True)
        self._finish()

    def _pass(self) -> None:
        self.passes = True
        if not self._injection.settled:
            self._injection.undo("nothing_to_cut", status=self._action.entry.status)
        self._finish()

    def _finish(self) -> None:
        self.over = True
        self._injection.finish()

    def _part(self, data: bytes, *, more: bool) -> Part:
        """Make the next part; before the last one, write the journal's line.

        A test may read the journal as soon as it has the answer.
        """
        self._sent += len(data)
        if not more or self._sent == self._length:
            self._settle("nothing_to_cut")
        return Part(data, more)

    def _settle(self, otherwise: str) -> None:
        injection, entry = self._injection, self._action.entry
        if injection.settled:
            return
        entry.left = entry.left or otherwise == "failed"
        if self.filter.touched:
            entry.response_bytes = self._sent
            injection.give(self._did, self._body)
        else:
            injection.undo(otherwise, status=entry.status)

    def _cut(self) -> Steps:
        """End the connection, and note how that was done."""
        self.over = True
        self._settle("nothing_to_cut")
        filtered, entry = self.filter, self._action.entry
        ended = yield Cut(filtered.how == "reset", filtered.hangs, self._sent, self._length)
        # The line before has `filter.how`: write another if the connection ended in another way.
        if (ended == "reset") is not (entry.did == "reset"):
            entry.write(ended, applied=self._injection.applied, body=self._body)

    def _wait(self, seconds: float) -> Steps:
        """Wait; if the client leaves meanwhile, raise `ClientLeft`."""
        if not (yield Wait(seconds)):
            raise ClientLeft


def can_filter(request: Request, action: Forward | Respond, change: Filter, app_answer: AppAnswer) -> bool:
    """Note the answer's head, and return whether the filter can change its body."""
    entry = action.entry
    size = entry.response_bytes  # noted at the end, when it is known how many bytes were sent
    entry.note_answer(app_answer.status, app_answer.headers)
    entry.response_bytes = size
    if has_no_body(request.method, app_answer.status, app_answer.headers):
        return False
    length = length_of(app_answer.headers)
    # Without a length and without framing, a cut would look like the end of the body.
    return change.fits(length) and (app_answer.framed or length is not None or not change.cuts)


def look(entry: Entry) -> Steps:
    """Check whether the client has left, if the answer starts `SOONEST` after the request.

    While the request's body is incomplete, check at any time: a client may leave in the middle of an upload.
    """
    late = entry.services.monotonic() - entry.arrived >= SOONEST
    if not entry.left and (late or (entry.seen is not None and entry.seen.body is None)):
        entry.left = yield Look()
