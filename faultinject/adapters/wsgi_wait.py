"""Waiting under WSGI, for a time or for a request's body: never shorter than asked, over as soon as nobody waits.

All waits of one scenario share one pipe. A thread waits for it and for its client's connection in one system call,
so 500 of them cost nothing until something happens. What is written into the pipe is never read: it wakes them all.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from faultinject.adapters.servers import (
    OUR_SERVER,
    Connection,
    is_at_hand,
    native_poll,
    of_environ,
    threads_run,
    until_delivered,
)
from faultinject.engine.request import LONGEST, MOST, PIECE, Body, WSGIRequest
from faultinject.engine.steps import ClientGone
from faultinject.locks import gevent_sleep

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from faultinject.adapters.types import Environ
    from faultinject.engine.plan import Plan
    from faultinject.vendors.multi_delete import Listing

    HasLeft = Callable[..., bool]

SLICE = 0.05
"""Seconds after which a wait looks around where nothing can wake it: without a pipe, or in a greenlet."""
WORKER_SLICE = 0.5
"""Seconds after which a worker of gunicorn is looked at: what it does at SIGTERM wakes nobody, so one thread looks for all."""

_AT_ONCE = 0.001

# A signal may come, and end a scenario, while its own thread holds it. Nobody waits under it: `faultinject.locks`.
_lock = threading.RLock()
_bells: dict[Plan, Bell] = {}
_registered = _watched = False
_program_ends = False


def drain(
    environ: Environ,
    plan: Plan,
    request: WSGIRequest,
    listing: Listing | None = None,
    up_to: int | None = None,
    *,
    in_process: bool,
) -> Body | None:
    """Read the request body and drop it, within bounds of bytes and seconds; `listing` gets each piece.

    A body without a length that ends before `up_to` is put back, for the app to read.

    Args:
        environ: of the request.
        plan: the plan that decided.
        request: the view of the request.
        listing: gets each piece.
        up_to: so many bytes of it are read, and not more; None: all.
        in_process: whether the client is in this process, so that its body is at hand.

    Returns:
        Bytes read, their digest, whether that was all; None when the body has no end that a server shows.

    Raises:
        ClientGone: the body ends too early, or the server cannot read it.
    """
    length = request.content_length
    if length is None and not environ.get("wsgi.input_terminated"):
        return None
    reading = BodyReading(environ, plan, request, listing, up_to)
    if in_process or is_at_hand(environ) or not threads_run():
        reading.run()
    elif OUR_SERVER in environ and (stream := getattr(environ["wsgi.input"], "raw", None)) is not None:
        stream.allow(LONGEST)  # shutting its socket would end the answer as well
        try:
            reading.run()
        finally:
            stream.allow(None)
    elif (connection := of_environ(environ)) is not None:
        with connection, Cutoff(plan, connection, reading):
            reading.run()
    elif not reading.run_aside():
        reading.run()
    body = reading.body
    if reading.kept is not None and body[2]:
        from io import BytesIO

        environ["wsgi.input"] = BytesIO(b"".join(reading.kept))
    return body


class BodyReading:
    """The reading of one request body.

    A server's `read` waits for the whole piece that it was asked for, however slowly that comes: the reader is stopped
    from outside when the time is over.

    Args:
        environ: of the request.
        plan: the plan that decided.
        request: the view of the request; without a Content-Length the server marks the end.
        listing: gets each piece.
        up_to: so many bytes of it are read, and not more; None: all.
        before: so many bytes of it were read before.

    Attributes:
        cut: whether the time is over; what comes after that does not count.
        kept: what was read, where the body may turn out to be shorter than `up_to`; else None.
    """

    def __init__(
        self,
        environ: Environ,
        plan: Plan,
        request: WSGIRequest,
        listing: Listing | None = None,
        up_to: int | None = None,
        before: int = 0,
    ) -> None:
        length = request.content_length
        self.cut = False
        self.kept: list[bytes] | None = [] if up_to is not None and length is None else None
        self._source = source = environ["wsgi.input"]
        # What has come so far, where the server can say.
        self._read = getattr(source, "read1", source.read)
        self._length = None if length is None else length - before
        self._up_to = up_to
        self._listing = listing
        self._clock = plan.services.monotonic
        self._rest = plan.services.rest
        self._digest = request.body_digest(plan.origin[2])
        self._whole = False
        self._lock = threading.Lock()

    @property
    def body(self) -> Body:
        """Bytes read, their digest, whether that was all."""
        with self._lock:
            return self._digest.size, self._digest.hexdigest(), self._whole and not self.cut

    def stop(self) -> None:
        """The time is over."""
        with self._lock:
            self.cut = True

    def run(self) -> None:
        """Read to the end, or to a bound.

        Raises:
            ClientGone: the body ends too early, or the server cannot read it.
        """
        length, digest = self._length, self._digest
        wanted = length if self._up_to is None else self._up_to
        end = self._clock() + LONGEST
        while wanted is None or digest.size < wanted:
            if digest.size >= MOST or self.cut or self._clock() >= end:
                return
            try:
                piece = self._read(PIECE if wanted is None else min(PIECE, wanted - digest.size))
            except TimeoutError:
                self.stop()
                return
            except Exception as error:
                if self.cut:
                    return
                raise ClientGone from error
            with self._lock:
                if self.cut:
                    return
                if not piece:
                    break
                digest.update(piece)
            if self._listing is not None:
                self._listing.feed(piece)
            if self.kept is not None:
                self.kept.append(piece)
        if length is not None and digest.size < (wanted or 0):
            raise ClientGone
        # Of a body without a length as much as was wanted says nothing of its end.
        self._whole = digest.size == length if self._up_to is not None and digest.size == wanted else True

    def run_aside(self) -> bool:
        """As `run`, by a thread that is left alone when the time is over: nothing shows whose connection it waits for.

        Returns:
            No where there are no more threads, and nothing was read.
        """
        raised: list[BaseException] = []

        def run() -> None:
            try:
                self.run()
            except BaseException as error:
                raised.append(error)

        reader = threading.Thread(target=run, name="faultinject reader", daemon=True)
        try:
            reader.start()
        except RuntimeError:
            return False
        self._rest(LONGEST, reader.join)
        if reader.is_alive():
            self.stop()
        elif raised:
            raise raised[0]
        return True


class Cutoff:
    """Ends the reading of a request body in time: a thread shuts the client's side of the connection.

    Under TLS an end that nobody has announced would keep the answer from being sent as well, so there, where the server
    shows its socket, the thread takes its patience away instead.

    Args:
        plan: the plan that decided.
        connection: the request's.
        reading: stopped then.
    """

    def __init__(self, plan: Plan, connection: Connection, reading: BodyReading) -> None:
        self._rest = plan.services.rest
        self._connection = connection
        self._reading = reading
        self._over = threading.Event()
        self._lock = threading.Lock()
        patient = connection.encrypted and hasattr(connection.handle, "settimeout")
        self._handle: socket | None = connection.handle if patient else None
        self._patience: float | None = None

    def __enter__(self) -> None:
        if self._handle is not None:
            self._patience = self._handle.gettimeout()
            self._handle.settimeout(LONGEST)
        # No more threads: then a slow client holds the worker for as long as its server lets it.
        with suppress(RuntimeError):
            threading.Thread(target=self._run, name="faultinject cutoff", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over.set()
            if self._handle is not None:
                self._handle.settimeout(self._patience)

    def _run(self) -> None:
        self._rest(LONGEST, self._over.wait)
        with self._lock:  # the connection is ours as long as this is held
            if not self._over.is_set():
                self._reading.stop()
                if self._handle is None:
                    self._connection.shut_reading()
                else:
                    self._handle.settimeout(_AT_ONCE)


def delivered(connection: Connection, plan: Plan) -> bool:
    """Wait until the client has all that was sent to it before; no when it takes nothing of that for a while."""
    services = plan.services
    for seconds in until_delivered(connection, services.monotonic):
        services.rest(seconds, connection.gone)
    return connection.delivered()


def wait(plan: Plan, seconds: float, connection: Connection | None = None, *, reads_on: bool = False) -> bool:
    """Block, never shorter than asked, unless the plan is over or the program ends; no when the client left first.

    Whether it has left is looked at in the end, too: what was due before, on a busy machine, is given to nobody then.

    Args:
        plan: the plan that decided.
        seconds: how long; nothing, or less, when the time is over already.
        connection: shows when the client leaves.
        reads_on: whether a client that has only ended its own side is waited with, as one that still reads.
    """
    has_left: HasLeft | None = None
    if connection is not None:
        has_left = connection.gone if reads_on else connection.left
    if seconds > 0:
        clock = plan.services.monotonic
        end, endings = clock() + seconds, plan.endings
        with Alarm(plan) as alarm:
            while (left := end - clock()) > 0 and not plan.over(endings) and not program_ends():
                if alarm.sleep(min(left, plan.until_look), has_left):
                    return False
    return has_left is None or not has_left(0)


class Bell:
    """The pipe that the waits of one scenario share until it has rung.

    Attributes:
        file: readable once it has rung; -1 where no pipe could be had.
        users: how many wait.
        rung: whether it has; a later wait needs another one.
    """

    def __init__(self) -> None:
        self.users = 0
        self.rung = False
        self.file = self._end = -1
        self._process = os.getpid()
        if hasattr(select, "poll"):  # pragma: no branch - Windows has none
            with suppress(OSError):  # too many files are open
                self.file, self._end = os.pipe()

    def ring(self) -> None:
        """Wake all that wait, once and for all; a child of their process does not."""
        if self._process != os.getpid():
            return
        with _lock:
            if not self.rung and self._end >= 0:
                os.write(self._end, b"\0")
            self.rung = True

    def close(self) -> None:
        """Nobody waits any more."""
        for each in (self.file, self._end):
            if each >= 0:
                os.close(each)
        self.file = self._end = -1


class Alarm:
    """The wait of one thread; a context manager.

    Args:
        plan: wakes it when it ends.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        _ring_at_end()
        self._bell = self._enter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _enter(self) -> Bell:
        """Wait by the bell that has not rung."""
        plan = self._plan
        with _lock:
            bell = _bells.get(plan)
            if bell is None or bell.rung:
                bell = _bells[plan] = Bell()
            plan.wait(bell.ring)
            bell.users += 1
        _watch_worker()
        return bell

    def _leave(self) -> None:
        plan, bell = self._plan, self._bell
        with _lock:
            bell.users -= 1
            if not bell.users:
                plan.waiting.discard(bell.ring)
                if _bells.get(plan) is bell:
                    del _bells[plan]
                bell.close()

    def sleep(self, seconds: float, has_left: HasLeft | None) -> bool:
        """Sleep at most so long, and less when it rings or the client leaves; yes when that has left.

        Args:
            seconds: how long.
            has_left: waits for the client to leave; None where nothing shows that.
        """
        if self._bell.rung:
            # It rang for all to look whether their time is over; where it is not, another bell tells of the next time.
            self._leave()
            self._bell = self._enter()
            return False
        return bool(self._plan.services.rest(seconds, lambda seconds: self._sleep(seconds, has_left)))

    def _sleep(self, seconds: float, has_left: HasLeft | None) -> bool:
        file = self._bell.file
        sleep = gevent_sleep() or (time.sleep if file < 0 else None)
        if sleep is not None:
            seconds = min(seconds, SLICE)
        if has_left is not None:
            return has_left(seconds, file)
        if sleep is not None:
            sleep(seconds)
            return False
        poll = native_poll()
        poll.register(file, select.POLLIN)
        poll.poll(seconds * 1000)
        return False


def program_ends() -> bool:
    """Whether the program has begun to end, so that nothing is waited for any more."""
    if _program_ends or not threading.main_thread().is_alive():
        return True
    worker = _worker()
    return worker is not None and not worker.alive


def _worker() -> Any:
    """Gunicorn's worker that this process is, told by its handler of SIGTERM; None elsewhere."""
    base = sys.modules.get("gunicorn.workers.base")
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return worker if base is not None and isinstance(worker, base.Worker) else None


def _watch_worker() -> None:
    """Wake all that wait when gunicorn has told its worker to end."""
    global _watched  # noqa: PLW0603
    with _lock:
        if _watched or _worker() is None:
            return
        _watched = True

    def watch() -> None:
        global _watched  # noqa: PLW0603
        while _watched:
            time.sleep(WORKER_SLICE)
            with _lock:
                ended = program_ends()
                if ended:
                    _ring_all()
                _watched = bool(_bells) and not ended

    threading.Thread(target=watch, name="faultinject worker watch", daemon=True).start()


def _ring_at_end() -> None:
    """From the first wait on the end of the program wakes them all: a thread that waits would keep it from ending."""
    global _registered  # noqa: PLW0603
    if _registered:
        return
    _registered = True
    try:
        # What `concurrent.futures` uses: called before threads are waited for, the last registered first.
        threading._register_atexit(_end)  # type: ignore[attr-defined]  # noqa: SLF001
    except RuntimeError:  # it has begun to end
        _end()


def _end() -> None:
    global _program_ends  # noqa: PLW0603
    _program_ends = True
    _ring_all()


def _ring_all() -> None:
    for each in list(_bells.values()):
        each.ring()


def _after_fork() -> None:
    """In the child nobody waits."""
    global _lock, _watched  # noqa: PLW0603
    _lock = threading.RLock()
    _watched = False
    for plan, bell in _bells.items():
        plan.waiting.discard(bell.ring)
        bell.close()
    _bells.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)
