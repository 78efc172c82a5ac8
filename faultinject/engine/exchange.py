"""One exchange: the steps for a request that gets a fault, whatever the interface.

`exchange` is a generator that does nothing itself: it yields steps, which a driver carries out, blocking or awaited.
The count of a fault, its slot and its lines in the journal are all kept in one place, `Injection`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, MutableMapping, Sequence
from typing import Any, Self

from faultinject.engine.actions import Action, Disconnect, Forward, Pass, Respond
from faultinject.engine.alterations import Alteration
from faultinject.engine.answers import answer_keys, at_its_start, guarded, marked, taken_over
from faultinject.engine.body_transforms import BodyTransform
from faultinject.engine.plan import Plan
from faultinject.engine.request import LONGEST, MOST, Body, Entry, Request, SeenBody
from faultinject.engine.steps import (
    AppAnswer,
    AppEnded,
    Begin,
    ClientGone,
    Cut,
    EditHead,
    EndApp,
    Hold,
    Look,
    LostPatience,
    NextPiece,
    Part,
    Pause,
    Reach,
    ReadBody,
    RunApp,
    Send,
    Step,
    Steps,
    Wait,
)
from faultinject.http.wire import BLANK_EVERY, Headers, has_no_body, late_start, length_of

DECIDED = "faultinject.decided"
"""In environ or scope: an outer middleware has decided this request."""
NOTED = "faultinject.noted"
"""In environ or scope: the journals that have noted this request though no rule matched."""
SOONEST = 0.05
"""Seconds within which no client loses its patience."""
UNTOUCHED = RunApp(untouched=True)
NOTED_ONLY = RunApp(noted=True)


class Injection:
    """One fault under way, as a context manager.

    It returns the fault's count if it was not carried out, and its slot at the end.

    Args:
        plan: the plan that decided.
        entry: what goes into the journal.

    Attributes:
        applied: whether the app ran.
        otherwise: what the journal says where the exchange breaks off.
        settled: whether the journal has what came of it.
    """

    def __init__(self, plan: Plan, entry: Entry) -> None:
        self._plan = plan
        self._entry = entry
        self.settled = self._over = False
        self.applied = False
        self.otherwise = "failed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.settled:
            self.undo(self.otherwise)
        self.finish()

    def finish(self) -> None:
        """Free the slot for another fault, however long the answer still takes."""
        if not self._over:
            self._over = True
            self._plan.services.finish()

    def begin(self, did: str) -> None:
        """Note what is about to be done, where it takes its time."""
        self._entry.write(did, answered=False, applied=self.applied, last=False)

    def run_app(self) -> None:
        """The app is about to run."""
        self.applied, self.otherwise = True, "app_failed"

    def give(self, did: str, body: Body | None = None, *, answered: bool | float = True) -> None:
        """Note what is done.

        Args:
            did: the outcome's word.
            body: what was read of the request's.
            answered: whether the answer goes out now, or when it began to.
        """
        self.settled = True
        self._entry.write(did, answered=answered, applied=self.applied, body=body)

    def keep(self) -> None:
        """Keep the notes made so far, also if the exchange breaks off."""
        self.settled = True

    def undo(self, did: str, *, status: int | None = None, left: bool = False) -> None:
        """Return the count of a fault that is not carried out, and note the reason.

        The status of the app's own answer is told only where every request is noted, as with requests that pass.

        Args:
            did: the outcome's word.
            status: of the app's own answer, which starts now.
            left: whether the client has left.
        """
        self.settled = True
        plan, entry = self._plan, self._entry
        entry.left = entry.left or left
        if entry.take is not None:
            plan.counts.give_back(entry.take)
        entry.cancel(did, applied=self.applied, status=status if plan.services.record_all else None)


def failed() -> Send:
    """The answer after a body that could not be read whole, or an error inside faultinject.

    A new one each time: middleware and servers add to its headers.
    """
    return Send(
        500,
        "500 Internal Server Error",
        [("Content-Length", "0"), ("x-faultinject", "error")],
        b"",
        unread=True,
        closes=False,
    )


def skipped(
    plan: Plan,
    request: Request | None,
    candidates: Sequence[int],
    error: Exception,
    place: MutableMapping[str, Any],
) -> None:
    """Deciding failed, the request passes: tell which rule it was, and note the request.

    Args:
        plan: the plan that was to decide.
        request: the view of the request, where that could be made.
        candidates: the numbers of the rules that were asked.
        error: what was raised.
        place: environ or scope; no inner middleware is to decide.
    """
    from contextlib import suppress

    from faultinject.exceptions import StoreUnavailableError

    place[DECIDED] = True
    name = ""
    if request is not None and not isinstance(error, StoreUnavailableError):
        for number in candidates:
            try:
                plan.ready(number).matches(request)
            except Exception:
                name = plan.names[number]
                break
    plan.services.failed(error, name)
    if request is not None:
        with suppress(Exception):  # one error a request is enough to tell
            entry = plan.note(request)
            entry.rule = name or None
            entry.cancel("failed", applied=True)


def first_to_note(place: MutableMapping[str, Any], plan: Plan) -> bool:
    """Whether no outer middleware of the same journal has noted this request.

    `place` is environ or scope.
    """
    noted: tuple[object, ...] = place.get(NOTED, ())
    if plan.services in noted:
        return False
    place[NOTED] = (*noted, plan.services)
    return True


def exchange(plan: Plan, request: Request, entry: Entry, action: Action) -> Steps:
    """The steps for a request that gets a fault, or that passes and is noted.

    Args:
        plan: the plan that decided.
        request: the view of the request.
        entry: what goes into the journal.
        action: what the plan decided.
    """
    end, action = (action, action.instead) if isinstance(action, Disconnect) else (None, action)
    before = isinstance(action, Respond) and not action.answer.after
    if plan.services.record_all and not before and request.has_body:
        entry.seen = SeenBody(request.body_digest(plan.origin[2]), request.content_length)
    if isinstance(action, Pass):
        return _pass(plan, entry, action.did)
    injection = Injection(plan, entry)
    if isinstance(action, Forward):
        return _forward(plan, request, action, injection)
    return (_before if before else _after)(plan, request, action, end, injection)


def listens(action: Action) -> bool:
    """Whether the driver listens for the client's end, or needs its connection.

    It listens before the fault is given, or meanwhile.
    """
    if isinstance(action, Disconnect):
        return True
    if not isinstance(action, Pass) and action.transform is not None and action.transform.slow:
        return True
    if isinstance(action, Respond):
        answer = action.answer
        return answer.after or answer.takes_time or action.delay > 0
    return isinstance(action, Forward) and action.delay > 0 and action.upload is None


def _pass(plan: Plan, entry: Entry, did: str) -> Steps:
    """Let the app answer.

    If every request is recorded, its status and time are noted when the answer begins.
    """
    if not plan.services.record_all:
        entry.cancel(did, applied=True)
        yield UNTOUCHED
        return
    entry.forget()
    begun = False
    try:
        while True:
            found: AppAnswer | None = yield NOTED_ONLY
            if found is None:
                # A generator starts its answer when the server asks for the first piece.
                entry.write(did, answered=False, applied=True, last=False)
                continue
            begun = True
            entry.saw(found.status or "", found.headers)
            yield from _look(entry)
            entry.write(did, applied=True)
    except AppEnded:
        if not begun:
            yield from _look(entry)
            entry.write(did, answered=False, applied=True)


def _before(
    plan: Plan, request: Request, action: Respond, end: Disconnect | None, injection: Injection
) -> Steps:
    """The app does not see the request: read its body, wait, and give the fault."""
    with injection:
        entry, answer = action.entry, action.answer
        did = "answered" if end is None else end.how
        body: Body | None = None
        has_body, up_to = request.has_body, answer.read_at_most
        delay = delay_before(action, end)
        drains = has_body and (up_to is not None or (answer.drain and not request.expects_continue))
        stays, too_short = True, False
        if drains or delay:
            injection.begin(did)
            try:
                if drains:
                    body = yield ReadBody(up_to, action.listing)
                    too_short = up_to is not None and ended_before(body, up_to)
                    answer_keys(action)
                if delay and not too_short:
                    stays = yield Wait(delay, listens=up_to is None and (drains or not has_body))
            except ClientGone:
                injection.undo("failed", left=True)
                return
            except Exception as error:
                # The body is half read: neither the app nor the vendor's answer makes sense any more.
                plan.services.failed(error, entry.rule or "")
                injection.undo("failed")
                yield failed()
                return
            if too_short:
                injection.run_app()
                found: AppAnswer = yield RunApp()
                injection.undo("nothing_to_cut", status=found.status)
                return
            if not stays:
                injection.undo("failed", left=True)
                return
        unread = has_body and (body is None or not body[2])
        if unread and body is not None and end is None and body[0] != up_to:
            did = "drain_cut"
        headers = at_its_start(action, plan.services.clock())
        yield from _give(plan, request, action, end, injection, did, headers, body, unread=unread)


def _after(
    plan: Plan, request: Request, action: Respond, end: Disconnect | None, injection: Injection
) -> Steps:
    """The app runs, its effects stay, its answer is dropped and the fault given instead."""
    with injection:
        did = "answered" if end is None else end.how
        injection.begin(did)
        injection.run_app()
        found: AppAnswer = yield RunApp(dropped=True, listing=action.listing)
        found, cut = yield from _drop(plan, found)
        if found.failed:
            injection.undo("app_failed", status=found.status)
            return
        unread = yield EndApp(cut)
        injection.otherwise = "failed"
        action.entry.app_status = found.status or None
        answer_keys(action)
        if not (yield Wait(delay_before(action, end))):
            injection.undo("failed", left=True)
            return
        if cut and end is None:
            did = "app_cut"
        headers = at_its_start(action, plan.services.clock())
        if action.answer.cors:
            headers = taken_over(headers, found.headers)
        yield from _give(plan, request, action, end, injection, did, headers, None, unread=unread)


def _drop(plan: Plan, found: AppAnswer) -> Generator[Step, Any, tuple[AppAnswer, bool]]:
    """Drop the app's answer piece by piece, up to a failure of its own.

    Args:
        plan: the plan that decided.
        found: the answer as it began.

    Returns:
        The answer as it was begun last, and whether it takes too long or says too much.
    """
    clock = plan.services.monotonic
    size, until = 0, clock() + LONGEST
    while not found.failed:
        given = yield NextPiece()
        if isinstance(given, AppAnswer):
            found = given
            continue
        if given is None:
            return found, True
        data, more = given
        size += len(data)
        if not more:
            break
        if size > MOST or clock() > until:
            return found, True
    return found, False


def _forward(plan: Plan, request: Request, action: Forward, injection: Injection) -> Steps:
    """The app answers, later or with something changed on the way."""
    with injection:
        entry, services, alteration = action.entry, plan.services, action.alteration
        pause = None if action.upload is None else Pause(action.upload, action.delay, injection.finish)
        did = action.did if pause is None else "stalled"
        injection.applied = True
        injection.begin(did)
        if action.delay and pause is None and not action.after:
            injection.applied = False
            try:
                # A client that loses its patience has met the fault; what it asked for takes place all the same.
                entry.left = not (
                    yield Wait(action.delay, listens=not request.expects_continue, is_fault=True)
                )
            except LostPatience as lost:
                if did == "delayed":
                    injection.give(did)
                raise lost.args[0] from None
        injection.run_app()
        if action.transform is not None:
            yield from change_body(plan, request, action, action.transform, injection)
            return
        changed = alteration is not None or pause is not None
        noted = services.record_all and not changed
        if not (changed or noted):
            # A delay is over: what the app says then is its own.
            injection.keep()
        if not (changed or action.after):
            injection.finish()
        try:
            found: AppAnswer = yield RunApp(alteration=alteration, pause=pause)
            if action.after:
                entry.left = not (yield Wait(action.delay))
        except BaseException as ended:
            # Its client may have lost patience in the wait: that is what the fault is for.
            if noted or (pause is not None and pause.done):
                if noted and not isinstance(ended, GeneratorExit):
                    yield from _look(entry)
                injection.give(did, answered=False)
            raise
        headers = found.headers
        if alteration is not None:
            headers = alteration.edit(found.status, headers)
            if not alteration.done:
                injection.undo(alteration.undone, status=found.status)
                return
        elif pause is not None:
            pause.due = False
            if not pause.done:
                injection.undo("nothing_to_cut", status=found.status)
                return
        if changed or noted:
            entry.saw(found.status, headers)
            if noted:
                yield from _look(entry)
            injection.give(did)
        if alteration is not None or services.marked:
            yield EditHead(lambda status, given: _edited(plan, entry, alteration, status, given))


def _look(entry: Entry) -> Steps:
    if may_have_left(entry):
        entry.left = yield Look()


def _edited(
    plan: Plan, entry: Entry, alteration: Alteration | None, status: int, headers: Headers
) -> Headers:
    """The headers of the app's own answer as they go out."""
    if alteration is not None:
        # What a rule of a file does to headers it does to these as well.
        headers = alteration.edit(status, guarded(headers) if plan.services.guarded else headers)
    return marked(headers, entry.rule or "") if plan.services.marked else headers


def _give(
    plan: Plan,
    request: Request,
    action: Respond,
    end: Disconnect | None,
    injection: Injection,
    did: str,
    headers: Headers,
    body: Body | None,
    *,
    unread: bool,
) -> Steps:
    """The last steps: the answer, or the end of the connection."""
    answer = action.answer
    if end is not None:
        if (yield from _end(request, action, end, injection, body)):
            return
        end.entry.status, end.entry.response_bytes = answer.status, len(action.body)
        did = "answered"
    elif action.transform is not None and _takes(
        request, action, action.transform, AppAnswer(answer.status, headers)
    ):
        if not action.entry.written:
            action.entry.write(action.transform.did, applied=injection.applied, body=body, last=False)
        begin = Begin(action.transform, headers, action, unread)
        yield from _send(plan, action, action.transform, begin, injection, body, (action.body, False))
        return
    elif answer.error_after_head and action.body:
        began = plan.services.monotonic()
        action.entry.write(did, answered=began, applied=injection.applied, body=body, last=False)
        try:
            yield Begin(None, headers, action, unread)
            last = yield from _come_late(plan, request, action)
        finally:
            injection.give(did, body, answered=began)
        if last is not None:
            yield Part(last, more=False)
        return
    injection.give(did, body)
    yield Send(answer.status, answer.status_line, headers, action.body, unread, answer.closes)


def _end(
    request: Request, action: Respond, end: Disconnect, injection: Injection, body: Body | None
) -> Generator[Step, Any, bool]:
    """End the connection; no where the server does not let us."""
    hangs, stays = end.held is not None, True
    cut = Cut(end.how == "reset", hangs)
    reach: Reach = yield Hold(hangs=hangs)
    if reach is Reach.IN_PROCESS:
        injection.give("raised", body)
        yield cut
        return True
    if end.held is not None:
        end.entry.write(end.how, answered=False, applied=injection.applied, body=body, last=False)
        injection.keep()
        stays = yield Wait(action.delay + end.held, listens=not request.expects_continue)
    if reach is Reach.SERVER and stays:
        return False
    # The line stands before the client can know.
    injection.give(end.how, body)
    if reach is Reach.CONNECTION and (did := (yield cut)) != end.how:
        injection.give(did, body)
    return True


def _come_late(plan: Plan, request: Request, action: Respond) -> Generator[Step, Any, bytes | None]:
    """Send blanks behind the head while the client waits; returns the body, None if it has left."""
    body, clock, entry = action.body, plan.services.monotonic, action.entry
    if not action.delay:
        # Not as one piece, of which some servers would say the length after all.
        yield Part(body)
        return b""
    start = late_start(body)
    end, endings = clock() + action.delay, plan.endings
    first = body[:start] or b" "
    entry.response_bytes = len(first)
    yield Part(first)
    while (left := end - (now := clock())) > 0 and not plan.over(endings):
        seconds = min(left, BLANK_EVERY)
        if not (yield Wait(seconds, listens=not request.expects_continue)):
            return None
        if clock() < now + seconds:
            # Nobody waits any more: the server is about to end.
            break
        entry.response_bytes += 1
        yield Part(b" ")
    entry.response_bytes += len(body) - start
    return body[start:]


def delay_before(action: Respond, end: Disconnect | None) -> float:
    """Seconds to wait before an answer or the end of the connection begins.

    A late answer waits behind its head, and a hang is one wait from its beginning to its end.
    """
    if action.answer.error_after_head or (end is not None and end.held is not None):
        return 0.0
    return action.delay


def ended_before(body: Body | None, size: int) -> bool:
    """Whether a request's body ended before so many bytes were read.

    A body of None has no end that shows.
    """
    return body is None or (body[2] and (body[0] < size or not body[0]))


def may_have_left(entry: Entry) -> bool:
    """Whether it is worth a look if the client still waits for an answer that starts now.

    Nobody gives up so soon, unless it breaks off in the middle of its upload.
    """
    late = entry.services.monotonic() - entry.arrived >= SOONEST
    return not entry.left and (late or (entry.seen is not None and entry.seen.body is None))


# A body that is changed on its way, the app's own or that of an answer of ours


def change_body(
    plan: Plan, request: Request, action: Forward, transform: BodyTransform, injection: Injection
) -> Steps:
    """The steps that change the app's own answer.

    Args:
        plan: the plan that decided.
        request: the view of the request.
        action: what it decided.
        transform: what is done to the body.
        injection: the fault under way.
    """
    services = plan.services
    guards = services.guarded and not transform.whole
    try:
        found: AppAnswer = yield RunApp(transform=transform)
        headers, first, known = found.headers, None, length_of(found.headers) is not None
        takes = _takes(request, action, transform, found)
        # Marked is what something will be done to, which only its first piece shows where no length does.
        if takes and (services.marked or guards) and not known:
            first = yield NextPiece()
            takes = first is not None
    except ClientGone:
        injection.undo("failed", left=True)
        return
    if not takes:
        injection.undo("nothing_to_cut", status=action.entry.status)
        return
    if guards:
        headers = guarded(headers)
    if services.marked and (known or (first is not None and transform.begins_with(first[0]))):
        headers = marked(headers, action.entry.rule or "")
    yield from _send(plan, action, transform, Begin(transform, headers), injection, None, first)


def _takes(request: Request, action: Forward | Respond, transform: BodyTransform, found: AppAnswer) -> bool:
    """Whether anything can be done to an answer's body; the journal notes what the answer says."""
    entry = action.entry
    size = entry.response_bytes  # how many went out is known at the end
    entry.saw(found.status, found.headers)
    entry.response_bytes = size
    if has_no_body(request.method, found.status, found.headers):
        return False
    length = length_of(found.headers)
    # A cut that looks like the end of the body is no cut.
    return transform.fits(length) and (found.framed or length is not None or not transform.cuts)


def _send(
    plan: Plan,
    action: Forward | Respond,
    transform: BodyTransform,
    begin: Begin,
    injection: Injection,
    body: Body | None,
    piece: tuple[bytes, bool] | None,
) -> Steps:
    """Send the answer, each part of its body when it is due, and tell the journal how it ended."""
    entry = action.entry
    did, rate = transform.did, transform.rate
    length, sent, more, began = length_of(begin.headers), 0, True, None

    def settle(otherwise: str) -> None:
        if injection.settled:
            return
        entry.left = entry.left or otherwise == "failed"
        if transform.touched:
            entry.response_bytes = sent
            injection.give(did, body)
        else:
            injection.undo(otherwise, status=entry.status)

    def part(data: bytes, *, more: bool = True) -> Part:
        """The next part; whoever has the whole answer may read the journal at once."""
        nonlocal sent
        sent += len(data)
        if not more or sent == length:
            settle("nothing_to_cut")
        return Part(data, more)

    try:
        reach: Reach = yield begin
        if (transform.cuts or transform.slow) and (yield Look()):
            raise ClientGone
        inside = reach is Reach.IN_PROCESS
        if transform.how is not None and reach is not Reach.CONNECTION:
            did = "raised" if inside else "closed"
        # A client of this process that would lose its patience loses it at once.
        quiet = 0.0 if inside and transform.hangs else transform.quiet
        while more and not transform.done:
            if piece is None and (piece := (yield NextPiece())) is None:
                break
            data, more = piece
            piece = None
            kept = transform.feed(data) if data else b""
            if rate is not None:
                for data in slices(kept, rate):
                    now = plan.services.monotonic()
                    began = now if began is None else began
                    yield from _wait_with_client(began + (sent + len(data)) / rate - now)
                    yield part(data)
                if not more:
                    yield part(b"", more=False)
                continue
            held = transform.held_back()
            if held or (quiet and transform.touched):
                if kept:
                    yield part(kept)
                yield from _wait_with_client(quiet)
                quiet = 0.0
                if held:
                    yield part(held, more=more)
            elif kept or transform.done or not more:
                # granian sends a head with the first piece, also of nothing.
                yield part(kept, more=more or transform.done)
            if transform.over:
                injection.finish()
    except AppEnded:
        raise
    except BaseException as error:
        settle("failed")
        if not isinstance(error, ClientGone):
            raise
        return
    settle("nothing_to_cut")
    if transform.done:
        ended = yield Cut(transform.how == "reset", transform.hangs, sent, length)
        # A reset that could not be, or one where none was asked for.
        if (ended == "reset") is not (entry.did == "reset"):
            entry.write(ended, applied=injection.applied, body=body)


def _wait_with_client(seconds: float) -> Steps:
    """Wait while the client does."""
    if not (yield Wait(seconds)):
        raise ClientGone


def slices(piece: bytes, rate: int) -> Iterator[bytes]:
    """Parts that are small enough to be sent evenly: a twentieth of a second each, or one byte."""
    step = max(1, rate // 20)
    return (piece[at : at + step] for at in range(0, len(piece), step))
